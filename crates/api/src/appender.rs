//! The appender: collects what queued while the previous commit ran, commits it as one transaction, and
//! hands on what was committed.
//!
//! It owns everything that follows a commit. A request only waits for its outcome: one that goes away
//! strands nothing. The batch needs no timer: it is whatever queued meanwhile (self-clocking group commit).

use std::sync::Arc;

use model::{Micros, SessionId, TraceId, WorkspaceId};
use runtime::Clock;
use store::{Cause, CommitError, Directory, Done, Log, Outcome, Refusal, Write, WriteKind};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{publish::Committed, record::record};

/// Writes that may wait. Further ones are refused at once with [`WriteError::Overloaded`].
const QUEUE_ITEMS_MAX: usize = 8_192;
/// Items of one transaction at most: bounds how long a commit takes, and so everybody's latency.
const BATCH_ITEMS_MAX: usize = 512;
/// What a client is told to wait when the queue is full, seconds.
const RETRY_AFTER_S: u32 = 1;

/// Comes along with a write and goes out with its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteContext {
    /// The request.
    pub trace: TraceId,
    /// When it was accepted.
    pub accepted: Micros,
    /// The RTM socket that the message was typed on.
    pub origin: Option<SessionId>,
}

/// Why a write has no successful answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The store decided against it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The queue is full: nothing was tried. Come back after this many seconds.
    #[error("too many writes are waiting")]
    Overloaded {
        /// Seconds.
        retry_after_s: u32,
    },
    /// Nothing was written and nothing ever will be.
    #[error("not written")]
    NotWritten {
        /// Why.
        cause: Cause,
    },
    /// It may or may not be there. Repeat it with the same key.
    #[error("the outcome is unknown")]
    Unknown,
}

/// Where requests put their writes: a queue for each shard. Cheap to clone.
#[derive(Clone)]
pub struct Appender {
    queues: Arc<[mpsc::Sender<Item>]>,
    /// Which queue is a workspace's, when there are several.
    directory: Option<Arc<Directory>>,
}

/// A write that waits for its outcome.
#[derive(Debug)]
pub struct Item {
    write: Write,
    context: WriteContext,
    reply: oneshot::Sender<Result<Done, WriteError>>,
}

impl Appender {
    /// Makes the queue of a store; a [`Batcher`] takes from the other end.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Item>) {
        let (queue, items) = mpsc::channel(QUEUE_ITEMS_MAX);
        (Self { queues: Arc::new([queue]), directory: None }, items)
    }

    /// Makes a queue for each shard of a directory, in its order.
    #[must_use]
    pub fn sharded(directory: Arc<Directory>) -> (Self, Vec<mpsc::Receiver<Item>>) {
        let (queues, items): (Vec<_>, Vec<_>) =
            directory.shards().iter().map(|_| mpsc::channel(QUEUE_ITEMS_MAX)).unzip();
        (Self { queues: queues.into(), directory: Some(directory) }, items)
    }

    /// Queues a write and waits for its outcome. A caller that goes away strands nothing: the write and its
    /// events go on without it.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn write(&self, write: Write, context: WriteContext) -> Result<Done, WriteError> {
        let Some(directory) = &self.directory else { return self.queue(0, write, context).await };
        let place = place(directory, &write).await?;
        let again = write.clone();
        match self.queue(place, write, context).await {
            // It has moved since we looked: look again, once.
            Err(WriteError::Refused(Refusal::NotHere)) => {
                directory.forget(again.workspace);
                let now = self::place(directory, &again).await?;
                if now == place {
                    return Err(Refusal::NotHere.into());
                }
                self.queue(now, again, context).await
            }
            outcome => outcome,
        }
    }

    async fn queue(&self, place: usize, write: Write, context: WriteContext) -> Result<Done, WriteError> {
        let queue = self.queues.get(place).ok_or(Refusal::NotHere)?;
        let (reply, outcome) = oneshot::channel();
        match queue.try_send(Item { write, context, reply }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(WriteError::Overloaded { retry_after_s: RETRY_AFTER_S });
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Err(WriteError::NotWritten { cause: Cause::Unavailable });
            }
        }
        // The appender answers every item that it took; without an answer it died in between.
        outcome.await.unwrap_or(Err(WriteError::Unknown))
    }

    /// Writes that wait now, in the longest queue.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queues.iter().map(waiting).max().unwrap_or_default()
    }

    /// Writes that wait now in the queue of a workspace: another's shard may be in trouble, this one's not.
    #[must_use]
    pub fn waiting_for(&self, workspace: WorkspaceId) -> usize {
        let place = match &self.directory {
            None => Some(0),
            Some(directory) => directory.known(workspace),
        };
        place.and_then(|place| self.queues.get(place)).map(waiting).unwrap_or_default()
    }
}

fn waiting(queue: &mpsc::Sender<Item>) -> usize {
    QUEUE_ITEMS_MAX - queue.capacity()
}

/// The shard of a write.
async fn place(directory: &Directory, write: &Write) -> Result<usize, WriteError> {
    let place = match &write.kind {
        WriteKind::CreateWorkspace { domain, only_first, .. } => {
            directory.place(write.workspace, domain, *only_first).await
        }
        _ => directory.find(write.workspace).await.map(|place| place.ok_or(Refusal::NotHere)),
    };
    let unavailable = |error| {
        warn!(%error, "the shard of a write is not known");
        WriteError::NotWritten { cause: Cause::Unavailable }
    };
    Ok(place.map_err(unavailable)??)
}

/// The log failed for good: the process must not acknowledge anything any more (I10).
#[derive(Debug, Clone, thiserror::Error)]
#[error("the log failed: {0}")]
pub struct LogFailed(pub String);

/// Commits batches. A plain struct: a thread drives it in production, the simulator inline.
pub struct Batcher {
    log: Box<dyn Log>,
    clock: Clock,
    committed: mpsc::Sender<Committed>,
    site: String,
}

impl Batcher {
    /// Makes a batcher that writes to `log` and hands what was committed to `committed`, in commit order.
    #[must_use]
    pub fn new(log: Box<dyn Log>, clock: Clock, committed: mpsc::Sender<Committed>) -> Self {
        Self { log, clock, committed, site: String::new() }
    }

    /// Addresses in events start with `site`, which has no slash at its end. Without it they start with a slash.
    #[must_use]
    pub fn reached_at(mut self, site: &str) -> Self {
        site.clone_into(&mut self.site);
        self
    }

    /// Takes batches until the queue is closed and empty, or the log fails.
    ///
    /// # Errors
    /// [`LogFailed`].
    pub async fn run(self, items: mpsc::Receiver<Item>) -> Result<(), LogFailed> {
        self.run_until(items, CancellationToken::new()).await
    }

    /// As [`Batcher::run`]; once it is to `stop` it takes no more, finishes what is queued and closes the log.
    ///
    /// # Errors
    /// [`LogFailed`].
    pub async fn run_until(
        mut self,
        mut items: mpsc::Receiver<Item>,
        stop: CancellationToken,
    ) -> Result<(), LogFailed> {
        let mut batch = Vec::new();
        loop {
            let taken = tokio::select! {
                biased;
                taken = items.recv_many(&mut batch, BATCH_ITEMS_MAX) => taken,
                () = stop.cancelled(), if !items.is_closed() => {
                    items.close();
                    continue;
                }
            };
            if taken == 0 {
                break;
            }
            self.turn(std::mem::take(&mut batch)).await?;
        }
        self.log.close().await;
        Ok(())
    }

    /// Commits one batch, hands on its events, then answers everybody.
    ///
    /// # Errors
    /// [`LogFailed`].
    pub async fn turn(&mut self, items: Vec<Item>) -> Result<(), LogFailed> {
        let writes = items.iter().map(|item| item.write.clone()).collect();
        match self.log.commit(writes, self.clock.now_us()).await {
            Ok(outcomes) => self.hand_on(items, outcomes),
            Err(CommitError::NotWritten { cause: Cause::Refused, reason }) if items.len() > 1 => {
                // One item may be what the engine will not take: its neighbours do not pay for it.
                warn!(reason, items = items.len(), "batch not written, trying its items one by one");
                for item in items {
                    Box::pin(self.turn(vec![item])).await?;
                }
                return Ok(());
            }
            Err(CommitError::NotWritten { cause, reason }) => {
                warn!(reason, ?cause, "batch not written");
                answer_all(items, &WriteError::NotWritten { cause });
            }
            Err(CommitError::Unknown { reason }) => {
                warn!(reason, "the outcome of a batch is unknown");
                answer_all(items, &WriteError::Unknown);
            }
            Err(CommitError::Fatal { reason }) => {
                error!(reason, "the log failed, nothing more is acknowledged");
                answer_all(items, &WriteError::Unknown);
                return Err(LogFailed(reason));
            }
        }
        self.log.maintain().await.map_err(|error| LogFailed(error.to_string()))
    }

    fn hand_on(&self, items: Vec<Item>, outcomes: Vec<Outcome>) {
        let at = self.clock.now_us();
        let mut records = Vec::new();
        let mut answers = Vec::with_capacity(items.len());
        for (item, outcome) in items.into_iter().zip(outcomes) {
            records.extend(outcome.events.iter().map(|event| record(event, &item.context, at, &self.site)));
            answers.push((item.reply, outcome.result));
        }
        if !records.is_empty() && self.committed.try_send(Committed { records }).is_err() {
            // Full or closed: the events are in the log, and the sweep announces them.
            warn!("committed events not handed on, the sweep will announce them");
        }
        for (reply, result) in answers {
            // Nobody waits any more when the client went away.
            let _ = reply.send(result.map_err(WriteError::Refused));
        }
    }
}

fn answer_all(items: Vec<Item>, error: &WriteError) {
    for item in items {
        // Nobody waits any more when the client went away.
        let _ = item.reply.send(Err(error.clone()));
    }
}
