//! A machine of the simulation: a runtime of its own whose time stands still until the simulation moves it.

use std::time::Duration;

use runtime::Tasks;
use tokio::{
    runtime::Runtime,
    task::LocalSet,
    time::{Instant, sleep_until},
};

/// A machine. Switching it off drops every task on it where it stands.
pub(crate) struct Host {
    /// Its name in the trace and on the network.
    pub(crate) name: &'static str,
    running: Option<Running>,
}

struct Running {
    runtime: Runtime,
    local: LocalSet,
    tasks: Tasks,
    started: Instant,
    started_at: Duration,
}

impl Host {
    /// A machine that is off.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, running: None }
    }

    /// Switches it on; `now`: time since the simulation began.
    ///
    /// # Errors
    /// The system gave no runtime.
    pub(crate) fn start(&mut self, now: Duration) -> anyhow::Result<()> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let started = {
            let _inside = runtime.enter();
            Instant::now()
        };
        let (local, tasks) = (LocalSet::new(), Tasks::new());
        self.running = Some(Running { runtime, local, tasks, started, started_at: now });
        Ok(())
    }

    /// Runs `work` as if a task of the machine did.
    ///
    /// # Errors
    /// It is off.
    pub(crate) fn inside<T>(&self, work: impl FnOnce(&Tasks) -> T) -> anyhow::Result<T> {
        let Some(running) = &self.running else { anyhow::bail!("{} is off", self.name) };
        let _inside = running.runtime.enter();
        let _local = running.local.enter();
        Ok(work(&running.tasks))
    }

    /// Its runtime; `None`: it is off.
    pub(crate) fn handle(&self) -> Option<tokio::runtime::Handle> {
        self.running.as_ref().map(|running| running.runtime.handle().clone())
    }

    /// Whether a task ended that must not.
    pub(crate) fn has_failed(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.tasks.failed().is_cancelled())
    }

    /// Lets it run until `now`.
    pub(crate) fn run_until(&self, now: Duration) {
        if let Some(running) = &self.running {
            let until = running.started + now.saturating_sub(running.started_at);
            running.runtime.block_on(running.local.run_until(async move { sleep_until(until).await }));
        }
    }

    /// Switches it off.
    pub(crate) fn crash(&mut self) {
        if let Some(Running { runtime, local, .. }) = self.running.take() {
            let inside = runtime.enter();
            drop(local);
            drop(inside);
            drop(runtime);
        }
    }
}
