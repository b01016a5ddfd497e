//! The embedded job queue: durable before anything else, at least once; what a job does has the effect of once
//! because of its own write.
//!
//! Who runs a job first moves its `run_at` to the end of a lease. If the runner dies, the job is due again when the
//! lease ends; a runner whose lease has ended can neither finish nor fail what somebody else has taken.

use model::{JobId, Micros, WorkspaceId};

use super::{Batch, Decided};
use crate::{Done, NewJob, Refusal, tx::params};

/// Queues a job. At once: one statement cannot replace a row twice.
pub(super) async fn put(batch: &mut Batch<'_>, workspace: WorkspaceId, job: NewJob) -> Decided<()> {
    const COLUMNS: &str = "INSERT INTO jobs (workspace, id, kind, payload, key, run_at, tries, dead, created) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7) ON CONFLICT (workspace, kind, key) WHERE key IS NOT NULL \
         DO UPDATE SET id = excluded.id, payload = excluded.payload, run_at = excluded.run_at, tries = 0, dead = 0, \
         error = NULL, created = excluded.created";
    let NewJob { id, kind, payload, key, run_at } = job;
    batch.execute(COLUMNS, params![workspace, id, kind, payload, key, run_at, batch.now()].into()).await?;
    Ok(())
}

/// Takes a job that is due.
pub(super) async fn lease(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: JobId,
    run_at: Micros,
    until: Micros,
) -> Decided {
    let sql = "UPDATE jobs SET run_at = $4, tries = tries + 1 \
               WHERE workspace = $1 AND id = $2 AND run_at = $3 AND dead = 0";
    one(batch.execute(sql, params![workspace, id, run_at, until].into()).await?)
}

/// A leased job is done.
pub(super) async fn finish(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: JobId,
    lease: Micros,
) -> Decided {
    let sql = "DELETE FROM jobs WHERE workspace = $1 AND id = $2 AND run_at = $3";
    one(batch.execute(sql, params![workspace, id, lease].into()).await?)
}

/// A leased job failed.
pub(super) async fn fail(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: JobId,
    lease: Micros,
    error: String,
    retry_at: Option<Micros>,
) -> Decided {
    let sql =
        "UPDATE jobs SET run_at = $4, dead = $5, error = $6 WHERE workspace = $1 AND id = $2 AND run_at = $3";
    let (next, dead) = (retry_at.unwrap_or(lease), retry_at.is_none());
    one(batch.execute(sql, params![workspace, id, lease, next, dead, error].into()).await?)
}

/// Tries a dead job again.
pub(super) async fn replay(batch: &mut Batch<'_>, workspace: WorkspaceId, id: JobId) -> Decided {
    let sql =
        "UPDATE jobs SET run_at = $3, dead = 0, tries = 0 WHERE workspace = $1 AND id = $2 AND dead = 1";
    one(batch.execute(sql, params![workspace, id, batch.now()].into()).await?)
}

/// Forgets a dead job.
pub(super) async fn forget(batch: &mut Batch<'_>, workspace: WorkspaceId, id: JobId) -> Decided {
    let sql = "DELETE FROM jobs WHERE workspace = $1 AND id = $2 AND dead = 1";
    one(batch.execute(sql, params![workspace, id].into()).await?)
}

fn one(changed: usize) -> Decided {
    if changed == 0 { Err(Refusal::JobNotFound.into()) } else { Ok(Done::Ok) }
}
