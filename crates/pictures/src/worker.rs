//! The process that decodes pictures: it takes away from itself what it does not need, then reads one picture from its
//! standard input, writes what it made to its standard output, and ends.

use std::io::{Read, Write};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{Answer, Crop, Made, Unusable, make};

/// Memory, bytes: the largest picture that is decoded takes a quarter of it.
const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Seconds of a processor.
const CPU_S_MAX: u64 = 20;
/// Open files: the three pipes and one to read the program with.
const FILES_MAX: u64 = 8;
/// Largest picture, bytes.
const PICTURE_BYTES_MAX: u64 = 64 << 20;

/// Makes thumbnails of the picture on standard input.
///
/// # Errors
/// A sentence; nothing was written then.
pub fn thumbnails() -> anyhow::Result<()> {
    answer(make::thumbnails)
}

/// Makes a person's photo of the picture on standard input.
///
/// # Errors
/// A sentence; nothing was written then.
pub fn photo(crop: Option<Crop>) -> anyhow::Result<()> {
    answer(|picture| make::photo(picture, crop))
}

fn answer(make: impl FnOnce(&[u8]) -> Result<Made, Unusable>) -> anyhow::Result<()> {
    limit_self()?;
    let made = read_picture()?.and_then(|picture| make(&picture));
    let mut output = std::io::stdout().lock();
    let (answer, parts) = match made {
        Ok(Made { image, parts }) => {
            let lengths = parts.iter().map(|part| u64::try_from(part.len())).collect::<Result<_, _>>()?;
            (Answer::Made { image, lengths }, parts)
        }
        Err(unusable) => (Answer::Refused(unusable), Vec::new()),
    };
    serde_json::to_writer(&mut output, &answer)?;
    output.write_all(b"\n")?;
    for part in parts {
        output.write_all(&part)?;
    }
    output.flush()?;
    Ok(())
}

fn limit_self() -> anyhow::Result<()> {
    for (resource, limit) in [
        (Resource::As, MEMORY_BYTES_MAX),
        (Resource::Cpu, CPU_S_MAX),
        (Resource::Nofile, FILES_MAX),
        // It writes to a pipe: no file at all.
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit).with_context(|| format!("{resource:?}"))?;
    }
    Ok(())
}

fn read_picture() -> anyhow::Result<Result<Vec<u8>, Unusable>> {
    let mut picture = Vec::new();
    let read = std::io::stdin().lock().take(PICTURE_BYTES_MAX + 1).read_to_end(&mut picture)?;
    Ok(if u64::try_from(read)? > PICTURE_BYTES_MAX {
        Err(Unusable::TooLarge(format!("more than {PICTURE_BYTES_MAX} bytes")))
    } else {
        Ok(picture)
    })
}
