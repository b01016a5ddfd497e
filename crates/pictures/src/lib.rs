//! Thumbnails and photos. Pictures come from anybody, so they are decoded in a process of their own that has little of
//! everything and is killed when it takes too long: what a picture does to it, it does to nobody else.
//!
//! [`worker`] is that process (`parlance worker …`), [`make`] what it does. The bytes go in on its standard input; out come
//! a line of JSON, [`Answer`], and the bytes of what it made.

pub mod make;
pub mod pattern;
pub mod worker;

use std::{io, process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use model::Image;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::Semaphore,
};

/// Workers at once. Further pictures wait.
const WORKERS_MAX: usize = 2;
/// A worker that takes longer is killed.
const WORKER_TIMEOUT: Duration = Duration::from_secs(30);
/// All that a worker may answer, bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Longest line of an answer, bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The bytes of what it made follow, in the order of `lengths`.
    Made {
        /// What the picture is like.
        image: Image,
        /// Bytes of each of the things that it made.
        lengths: Vec<u64>,
    },
    /// It made nothing.
    Refused(Unusable),
}

/// Why nothing can be made of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unusable {
    /// It has too many pixels or bytes: how many.
    #[error("it is too large: {0}")]
    TooLarge(String),
    /// It is of no known format or damaged: how.
    #[error("{0}")]
    Broken(String),
}

/// A square of a picture, pixels. What is beyond the picture is moved back into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// Its left edge.
    pub x: u32,
    /// Its upper edge.
    pub y: u32,
    /// Its width and height; `None`: as large as can be.
    pub side: Option<u32>,
}

/// What was made of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it is like.
    pub image: Image,
    /// The bytes of `image.thumbnails`, in their order.
    pub parts: Vec<Bytes>,
}

/// Runs workers.
#[derive(Debug)]
pub struct Workers {
    permits: Semaphore,
}

impl Default for Workers {
    fn default() -> Self {
        Self { permits: Semaphore::new(WORKERS_MAX) }
    }
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The picture cannot be read, is too large, or is made to do harm.
    #[error("the picture cannot be used: {0}")]
    Unusable(#[from] Unusable),
    /// No worker could be started, or the bytes could not be read.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl Workers {
    /// Has thumbnails made of a picture.
    ///
    /// # Errors
    /// [`PictureError`].
    pub async fn thumbnails<S>(&self, bytes: S) -> Result<Made, PictureError>
    where
        S: Stream<Item = io::Result<Bytes>> + Unpin,
    {
        self.run(&["worker", "thumbnails"], bytes).await
    }

    /// Has a person's photo made: a square of a picture, the middle unless `crop` says another, in all sizes of
    /// [`model::Photo`] that are not larger than itself. `image` is the largest.
    ///
    /// # Errors
    /// [`PictureError`].
    pub async fn photo(&self, picture: Bytes, crop: Option<Crop>) -> Result<Made, PictureError> {
        let numbers =
            crop.map(|Crop { x, y, side }| [Some(x), Some(y), side]).into_iter().flatten().flatten();
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        let arguments: Vec<&str> =
            ["worker", "photo"].into_iter().chain(numbers.iter().map(String::as_str)).collect();
        self.run(&arguments, futures_util::stream::iter([Ok(picture)])).await
    }

    async fn run<S>(&self, arguments: &[&str], bytes: S) -> Result<Made, PictureError>
    where
        S: Stream<Item = io::Result<Bytes>> + Unpin,
    {
        let failed = |error: anyhow::Error| PictureError::Failed(error);
        let _permit = self.permits.acquire().await.context("workers").map_err(failed)?;
        let mut child = start(arguments).context("a worker cannot be started").map_err(failed)?;
        let talk = tokio::time::timeout(WORKER_TIMEOUT, talk(&mut child, bytes)).await;
        let made = match talk {
            Ok(Ok(made)) => Ok(made),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(broken("it took too long")),
        };
        if made.is_err() {
            // It may have ended by itself.
            let _ = child.start_kill();
        }
        let ended = child.wait().await.context("the end of a worker").map_err(failed)?;
        match made {
            Ok(made) if ended.success() => Ok(made),
            Ok(_) => Err(broken(&ended.to_string())),
            // It was killed: how it ended says more.
            Err(PictureError::Unusable(Unusable::Broken(reason))) if !ended.success() => {
                Err(broken(&format!("{reason} ({ended})")))
            }
            Err(error) => Err(error),
        }
    }
}

fn broken(reason: &str) -> PictureError {
    Unusable::Broken(reason.to_owned()).into()
}

/// The same program, without anything of this process: no variables, no open files.
fn start(arguments: &[&str]) -> io::Result<Child> {
    // The program may have been replaced on disk; this names the one that runs.
    let own = std::path::Path::new("/proc/self/exe");
    let program = if own.exists() { own.to_owned() } else { std::env::current_exe()? };
    Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

/// Sends the picture while reading the answer.
async fn talk<S>(child: &mut Child, mut bytes: S) -> Result<Made, PictureError>
where
    S: Stream<Item = io::Result<Bytes>> + Unpin,
{
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (mut input, output) = pipes.context("no pipes").map_err(PictureError::Failed)?;
    let send = async move {
        while let Some(piece) = bytes.next().await {
            let piece = piece.context("the picture's bytes").map_err(PictureError::Failed)?;
            // A worker that has seen enough reads no further.
            if input.write_all(&piece).await.is_err() {
                break;
            }
        }
        Ok::<_, PictureError>(())
    };
    let (sent, answer) = tokio::join!(send, read(output.take(ANSWER_BYTES_MAX)));
    sent?;
    match answer {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(unusable)) => Err(unusable.into()),
        Err(error) => Err(broken(&format!("{error:#}"))),
    }
}

async fn read(output: impl AsyncRead + Unpin) -> anyhow::Result<Result<Made, Unusable>> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        let byte = output.read_u8().await.context("no answer")?;
        if byte == b'\n' {
            break;
        }
        line.push(byte);
        ensure!(u64::try_from(line.len())? < LINE_BYTES_MAX, "a line that is too long");
    }
    let (image, lengths) = match serde_json::from_slice(&line).context("a line that cannot be read")? {
        Answer::Made { image, lengths } => (image, lengths),
        Answer::Refused(unusable) => return Ok(Err(unusable)),
    };
    ensure!(lengths.len() == image.thumbnails.len(), "as many lengths as thumbnails");
    let mut parts = Vec::with_capacity(lengths.len());
    for length in lengths {
        ensure!(length <= ANSWER_BYTES_MAX, "a length that is too large");
        let mut part = vec![0; usize::try_from(length)?];
        output.read_exact(&mut part).await.context("the bytes end early")?;
        parts.push(Bytes::from(part));
    }
    Ok(Ok(Made { image, parts }))
}
