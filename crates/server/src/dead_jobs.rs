//! Jobs that were given up: what `parlance jobs` shows and changes.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use store::{Job, Store, Write, WriteKind};

/// Most jobs that are shown.
const SHOWN_MAX: u32 = 1_000;

/// A job that was given up, as an operator sees it.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeadJob {
    /// Its id.
    pub id: String,
    /// For which workspace.
    pub workspace: String,
    /// What was to be done.
    pub kind: String,
    /// With what, JSON.
    pub payload: String,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub error: String,
    /// When it was queued, seconds since 1970.
    pub created: i64,
}

/// What is to become of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is tried again, from its first try on.
    Replay,
    /// It is forgotten.
    Drop,
}

/// The newest jobs that were given up.
///
/// # Errors
/// The store's.
pub async fn list(store: &dyn Store) -> anyhow::Result<Vec<DeadJob>> {
    let shown = |job: Job| DeadJob {
        id: job.id.to_string(),
        workspace: job.workspace.to_string(),
        kind: job.kind,
        payload: job.payload,
        tries: job.tries,
        error: job.error.unwrap_or_default(),
        created: job.created.div_euclid(1_000_000),
    };
    Ok(store.dead_jobs(SHOWN_MAX).await?.into_iter().map(shown).collect())
}

/// The write that changes one.
///
/// # Errors
/// A sentence for the operator.
pub async fn change(store: &dyn Store, id: &str, change: Change) -> anyhow::Result<Write> {
    let dead = store.dead_jobs(SHOWN_MAX).await?;
    let job = dead.iter().find(|job| job.id.to_string() == id);
    let job = job.with_context(|| format!("no job {id} was given up"))?;
    let kind = match change {
        Change::Replay => WriteKind::ReplayJob { id: job.id },
        Change::Drop => WriteKind::DropJob { id: job.id },
    };
    Ok(Write { workspace: job.workspace, kind })
}
