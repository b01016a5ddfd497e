//! The process that decodes pictures: it takes away from itself what it does not need, then reads one picture from its
//! standard input, writes what it made to its standard output, and ends.

use std::io::{Read, Write};

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{Answer, make};

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
    limit_self()?;
    let made = make::thumbnails(&read_picture()?)?;
    let lengths = made.parts.iter().map(|part| u64::try_from(part.len())).collect::<Result<_, _>>()?;
    let mut output = std::io::stdout().lock();
    serde_json::to_writer(&mut output, &Answer { image: made.image, lengths })?;
    output.write_all(b"\n")?;
    for part in made.parts {
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

fn read_picture() -> anyhow::Result<Vec<u8>> {
    let mut picture = Vec::new();
    let read = std::io::stdin().lock().take(PICTURE_BYTES_MAX + 1).read_to_end(&mut picture)?;
    ensure!(u64::try_from(read)? <= PICTURE_BYTES_MAX, "more than {PICTURE_BYTES_MAX} bytes");
    Ok(picture)
}
