//! Runs simulations, each a process of its own, as many at a time as there are cores.

use std::{
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// One simulation that came to its end.
pub(crate) struct Run {
    /// Which.
    pub(crate) seed: u64,
    /// No promise was broken.
    pub(crate) good: bool,
    /// Everything that it printed.
    pub(crate) output: String,
}

/// Runs a seed.
pub(crate) fn run(seed: u64, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    let output = command.args(["--seed", &seed.to_string()]).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Run { seed, good: output.status.success(), output: text.into_owned() }
}

/// Runs seeds until one is bad, or all were good; the bad ones.
pub(crate) fn first_bad(seeds: std::ops::Range<u64>, arguments: &[&str]) -> Vec<Run> {
    let next = AtomicU64::new(seeds.start);
    let bad = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || !bad.lock().unwrap().is_empty() {
                        return;
                    }
                    let run = run(seed, arguments);
                    if !run.good {
                        bad.lock().unwrap().push(run);
                    }
                }
            });
        }
    });
    let mut bad = bad.into_inner().unwrap();
    bad.sort_by_key(|run| run.seed);
    bad
}
