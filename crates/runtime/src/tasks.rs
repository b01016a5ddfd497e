//! Supervised tasks and the drain signal.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, error, info_span};

/// What the end of a task means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEnd {
    /// Nothing: one connection, one request. A panic is logged.
    Ignore,
    /// The process cannot go on without it: a panic, or an end before the drain, stops the process.
    Stop,
}

/// Spawns tasks that somebody watches, and tells them when to stop.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    drain: CancellationToken,
    failed: CancellationToken,
}

impl Tasks {
    /// A supervisor with nothing running.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `future` on the current runtime. Its end is handled as `on_end` says.
    pub fn spawn<F>(&self, name: &'static str, on_end: OnEnd, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (drain, failed) = (self.drain.clone(), self.failed.clone());
        let task = tokio::spawn(future.instrument(info_span!("task", task = name)));
        self.tracker.spawn(async move {
            let result = task.await;
            if let Err(failure) = &result
                && failure.is_panic()
            {
                error!(task = name, "task panicked");
            }
            if on_end == OnEnd::Stop && !drain.is_cancelled() {
                error!(task = name, "a task that must not end has ended, stopping");
                failed.cancel();
            }
        })
    }

    /// Tells everybody to finish what they do and start nothing new.
    pub fn start_drain(&self) {
        self.drain.cancel();
    }

    /// Cancelled once the drain has started.
    #[must_use]
    pub fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    /// Cancelled when a task ended that must not.
    #[must_use]
    pub fn failed(&self) -> &CancellationToken {
        &self.failed
    }

    /// Waits until every task has ended. Call after [`Tasks::start_drain`].
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
