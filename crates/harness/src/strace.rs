//! strace on a running process: what it asks of the operating system, and system calls that fail or take long.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// How long it may take to attach on a busy machine.
const ATTACHED_WITHIN: Duration = Duration::from_secs(20);

/// How long it may take to let go: until every thread has stopped once.
const DETACHED_WITHIN: Duration = Duration::from_secs(20);

/// An strace that is attached to all threads of a process. When this is dropped it is killed, and lets go.
pub struct Strace {
    process: Child,
    // Whatever else it says must not block it.
    _said: Lines<BufReader<ChildStderr>>,
}

impl Strace {
    /// Attaches; the calls go to a file. None, and said loudly, when this machine has no strace or does not let it.
    ///
    /// # Errors
    /// When it says nothing in time.
    ///
    /// # Panics
    /// In CI, when it cannot be used.
    pub async fn attach(test: &str, pid: u32, arguments: &[&str], calls: &Path) -> Result<Option<Strace>> {
        let mut strace = Command::new("strace");
        strace.arg("-f").args(arguments).args(["-p", &pid.to_string(), "-o"]).arg(calls);
        strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let Ok(mut process) = strace.spawn() else {
            crate::skip(test, "strace is not installed");
            return Ok(None);
        };
        let mut said = BufReader::new(process.stderr.take().context("stderr")?).lines();
        let first =
            tokio::time::timeout(ATTACHED_WITHIN, said.next_line()).await.context("strace is silent")??;
        let first = first.unwrap_or_default();
        if !first.contains("attached") {
            crate::skip(test, &format!("strace may not attach: {first}"));
            return Ok(None);
        }
        Ok(Some(Strace { process, _said: said }))
    }

    /// Waits until the process has ended, and this with it: told to let go of a process that is just ending, strace waits
    /// for ever.
    ///
    /// # Errors
    /// When the process lives on.
    pub async fn ended(mut self, within: Duration) -> Result<()> {
        let ended = tokio::time::timeout(within, self.process.wait()).await;
        ended.with_context(|| format!("the process lives on after {within:?}"))??;
        Ok(())
    }

    /// Writes out what it has and lets the process go.
    ///
    /// # Errors
    /// When it cannot be told to, or does not in time.
    pub async fn detach(mut self) -> Result<()> {
        // None: it has ended, because the process has.
        if let Some(id) = self.process.id() {
            let stop = Command::new("kill").args(["-INT", &id.to_string()]).status().await?;
            ensure!(stop.success() || self.process.try_wait()?.is_some(), "strace cannot be stopped");
        }
        let ended = tokio::time::timeout(DETACHED_WITHIN, self.process.wait()).await;
        ended.with_context(|| format!("strace does not let go within {DETACHED_WITHIN:?}"))??;
        Ok(())
    }
}
