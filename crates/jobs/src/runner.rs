//! Runs the due jobs of one shard.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use model::Micros;
use runtime::Clock;
use store::{Job, Refusal, Store, Write, WriteKind};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    attempt::Patience,
    handlers::{Files, Outcome, Ports, WriteFailed, Writer, handle},
    metrics::JobsMetrics,
};

/// Shortest wait: a clock that stands still must not make the runner look without end.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// What an operator can set. Every default suits production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Time between two looks for jobs that others have queued. What a look finds to be due before the next one is
    /// begun when it is due. Default 500 ms.
    pub look_every: Duration,
    /// How long a job is nobody else's. Default 60 s.
    pub lease: Duration,
    /// Jobs at once: most wait for a commit, which many of them share. Default 32.
    pub parallel: usize,
    /// Jobs that are read at once. Default 128.
    pub batch: u32,
    /// Tries, and rests between them.
    pub patience: Patience,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            look_every: Duration::from_millis(500),
            lease: Duration::from_secs(60),
            parallel: 32,
            batch: 128,
            patience: Patience::default(),
        }
    }
}

/// What it needs.
pub struct Deps {
    /// The shard's reads.
    pub store: Arc<dyn Store>,
    /// The shard's writes.
    pub writer: Arc<dyn Writer>,
    /// The bytes of files.
    pub files: Arc<dyn Files>,
    /// Told when a job was queued.
    pub queued: Arc<Notify>,
    /// Wall clock: jobs are due by it.
    pub clock: Clock,
    /// Counters.
    pub metrics: JobsMetrics,
}

/// Runs jobs until the drain; those that were begun end first.
pub async fn run(config: Config, deps: Deps, drain: CancellationToken) {
    while !drain.is_cancelled() {
        let now = deps.clock.now_us();
        let next_look = now.saturating_add(micros(config.look_every));
        let mut due = match deps.store.due_jobs(next_look, config.batch).await {
            Ok(due) => due,
            Err(error) => {
                deps.metrics.unreadable.inc();
                warn!(%error, "due jobs could not be read");
                Vec::new()
            }
        };
        let later = due.split_off(due.partition_point(|job| job.run_at <= now));
        if due.is_empty() {
            let until = later.first().map_or(next_look, |job| job.run_at);
            let wait = Duration::from_micros(u64::try_from(until.saturating_sub(now)).unwrap_or_default());
            tokio::select! {
                () = drain.cancelled() => {}
                () = deps.queued.notified() => {}
                () = tokio::time::sleep(wait.max(WAIT_MIN)) => {}
            }
            continue;
        }
        let jobs = stream::iter(due).take_until(drain.cancelled());
        jobs.for_each_concurrent(config.parallel.max(1), |job| one(&config, &deps, job)).await;
    }
}

/// Takes a job, does it, and says how it ended.
async fn one(config: &Config, deps: &Deps, mut job: Job) {
    let now = deps.clock.now_us();
    // No two leases end at one moment: the end is what tells their holders apart.
    let lease = now.saturating_add(micros(config.lease)).max(job.run_at + 1);
    let take = WriteKind::LeaseJob { id: job.id, run_at: job.run_at, until: lease };
    match write(deps, &job, take).await {
        Ok(()) => {}
        // Another process was faster.
        Err(WriteFailed::Refused(Refusal::JobNotFound)) => return,
        Err(failed) => {
            warn!(job = %job.id, ?failed, "a due job could not be taken");
            // Not at once again: whatever is wrong needs a moment.
            tokio::time::sleep(config.look_every).await;
            return;
        }
    }
    deps.metrics.late_ms.set(now.saturating_sub(job.run_at) / 1_000);
    job.tries += 1;
    deps.metrics.running.inc();
    let outcome = handle(Ports { writer: &*deps.writer, files: &*deps.files }, &job).await;
    deps.metrics.running.dec();
    let end = match outcome {
        Outcome::Gone => {
            deps.metrics.done.inc();
            return;
        }
        Outcome::Done => {
            deps.metrics.done.inc();
            WriteKind::FinishJob { id: job.id, lease }
        }
        Outcome::Again(reason) => match config.patience.rest_after(job.tries) {
            Some(rest) => {
                deps.metrics.failed.inc();
                warn!(job = %job.id, kind = job.kind, tries = job.tries, reason, "a job failed and is tried again");
                let retry_at = Some(deps.clock.now_us().saturating_add(micros(rest)));
                WriteKind::FailJob { id: job.id, lease, error: reason, retry_at }
            }
            None => give_up(deps, &job, lease, reason),
        },
        Outcome::Never(reason) => give_up(deps, &job, lease, reason),
    };
    match write(deps, &job, end).await {
        // A lease that ended early: whoever has the job now ends it.
        Ok(()) | Err(WriteFailed::Refused(_)) => {}
        Err(failed) => warn!(job = %job.id, ?failed, "the end of a job was not written: it runs again"),
    }
}

fn give_up(deps: &Deps, job: &Job, lease: Micros, reason: String) -> WriteKind {
    deps.metrics.given_up.inc();
    error!(job = %job.id, kind = job.kind, tries = job.tries, reason, "a job was given up");
    WriteKind::FailJob { id: job.id, lease, error: reason, retry_at: None }
}

async fn write(deps: &Deps, job: &Job, kind: WriteKind) -> Result<(), WriteFailed> {
    deps.writer.write(Write { workspace: job.workspace, kind }).await.map(|_| ())
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}
