//! What a process used, and where it runs.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::{process::Pid, thread::CpuSet};

/// CPU time and memory of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// Resident memory, bytes.
    pub(crate) resident: u64,
}

/// Reads `/proc/PID/stat`, `/proc/PID/task/*/schedstat` and `/proc/PID/status` (Linux, proc(5)). The first counts in steps
/// of 10 ms and knows threads that ended; the second is exact and does not: the larger one holds.
///
/// # Errors
/// When the process is gone.
pub(crate) fn usage(pid: u32) -> Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold spaces and parentheses: fields are counted after its end.
    let fields: Vec<&str> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).context("ticks");
    let ticks = ticks(11)? + ticks(12)?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse()?;
    let per_second = rustix::param::clock_ticks_per_second();
    let cpu = Duration::from_millis(ticks * 1_000 / per_second).max(of_threads(pid)?);
    Ok(Usage { cpu, resident: kib << 10 })
}

/// CPU time of the threads that live.
fn of_threads(pid: u32) -> Result<Duration> {
    let mut nanos = 0u64;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while it is looked at.
        let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// Memory of the kernel's own objects on the whole machine, bytes: sockets, open files, what polls them (`Slab` of
/// `/proc/meminfo`, proc(5)).
///
/// # Errors
/// When it cannot be read.
pub(crate) fn kernel() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let slab = text.lines().find_map(|line| line.strip_prefix("Slab:")).context("Slab")?;
    Ok(slab.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Puts this thread, and what it starts from now on, on one core, or with `None` on all.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn pin(core: Option<usize>) -> Result<()> {
    let mut set = CpuSet::new();
    match core {
        Some(core) => set.set(core),
        None => (0..cores()).for_each(|core| set.set(core)),
    }
    rustix::thread::sched_setaffinity(None::<Pid>, &set).context("sched_setaffinity")
}

/// The most files that this process may have open, raised to what the kernel lets it.
pub(crate) fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised it stays, and whoever needs more says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
