//! The appender: collects what queued while the previous commit ran, commits it as one transaction, and
//! hands on what was committed. (Interface first; the inside follows.)

use model::{Micros, SessionId, TraceId};
use store::{Done, Refusal, Write};

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
    /// Nothing was written and nothing ever will be; `full`: the disk is full.
    #[error("not written")]
    NotWritten {
        /// The disk is full.
        full: bool,
    },
    /// It may or may not be there. Repeat it with the same key.
    #[error("the outcome is unknown")]
    Unknown,
}

/// Where requests put their writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Appender {}

impl Appender {
    /// Queues a write and waits for its outcome. A caller that goes away strands nothing: the write and its
    /// events go on without it.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn write(&self, write: Write, context: WriteContext) -> Result<Done, WriteError> {
        let _ = (write, context);
        Err(WriteError::NotWritten { full: false })
    }
}
