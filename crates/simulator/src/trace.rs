//! What happened, one aligned line per event; the same bytes for the same seed.

use std::{
    collections::VecDeque,
    fmt::Display,
    io::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use xxhash_rust::xxh3::Xxh3;

/// Lines that are kept for whoever asks how it came to this.
const LINES_KEPT: usize = 400;

/// The record of a run.
pub(crate) struct Trace {
    epoch: std::time::Instant,
    state: Mutex<State>,
}

struct State {
    hash: Xxh3,
    count: u64,
    last: VecDeque<String>,
    print: bool,
    violations: Vec<String>,
}

impl Trace {
    /// An empty record that begins now. `print`: every line goes to stdout.
    pub(crate) fn new(print: bool) -> Self {
        let state =
            State { hash: Xxh3::new(), count: 0, last: VecDeque::new(), print, violations: Vec::new() };
        Self { epoch: std::time::Instant::now(), state: Mutex::new(state) }
    }

    /// Time since the simulation began: that of the host whose task asks.
    pub(crate) fn now(&self) -> Duration {
        let now = match tokio::runtime::Handle::try_current() {
            Ok(_) => tokio::time::Instant::now().into_std(),
            Err(_) => std::time::Instant::now(),
        };
        now.saturating_duration_since(self.epoch)
    }

    /// The same in the checker's unit.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.now().as_micros()).unwrap_or(u64::MAX)
    }

    /// Something happened to somebody.
    pub(crate) fn note(&self, who: impl Display, what: &str, detail: impl Display) {
        let now = self.now();
        let line = format!(
            "{:>4}.{:06} {:<22} {:<14} {detail}\n",
            now.as_secs(),
            now.subsec_micros(),
            who.to_string(),
            what
        );
        let mut state = self.lock();
        state.hash.update(line.as_bytes());
        state.count += 1;
        if state.print {
            // Without a stdout nobody listens.
            let _ = std::io::stdout().write_all(line.as_bytes());
        }
        if state.last.len() == LINES_KEPT {
            state.last.pop_front();
        }
        state.last.push_back(line);
    }

    /// A promise was broken.
    pub(crate) fn violation(&self, what: impl Display) {
        let what = what.to_string();
        self.note("judge", "VIOLATION", &what);
        self.lock().violations.push(what);
    }

    /// Promises that were broken.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// A number for all lines, and how many they are.
    pub(crate) fn digest(&self) -> (u64, u64) {
        let state = self.lock();
        (state.hash.digest(), state.count)
    }

    /// The last lines.
    pub(crate) fn last(&self) -> Vec<String> {
        self.lock().last.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A line is added whole or not at all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
