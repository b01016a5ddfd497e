//! What every call carries and how it can end.

use std::time::Duration;

use model::{Epoch, NodeId, Seq, TraceId};

/// How long a caller waits unless it has a reason to choose otherwise.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// How long a call waits that is on a committed event's way to the sockets. An answer that a broken network has lost is not
/// waited for longer, so that two seconds after the repair everybody has everything (I8); every such call may be repeated.
pub const TIMEOUT_ON_THE_WAY: Duration = Duration::from_secs(1);

/// Carried by every call between roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who calls.
    pub caller: NodeId,
    /// The ring that the caller acted on. Calls that do not depend on ownership carry it too.
    pub epoch: Epoch,
    /// The request that this belongs to.
    pub trace: TraceId,
    /// How long the caller waits.
    pub timeout: Duration,
}

/// Answer to one item of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Taken.
    Ok,
    /// Not taken: earlier items are missing. The topic is at `have`.
    Behind {
        /// What the callee has.
        have: Seq,
    },
    /// Not taken: the callee does not own the topic, or the caller's ring is old.
    NotOwner {
        /// The ring that the callee knows.
        epoch: Epoch,
    },
    /// Not taken, and trying again will not help.
    Refused(Refusal),
}

/// Why an item was refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A bounded queue or table is full.
    #[error("full")]
    Full,
    /// The callee does not know what it names.
    #[error("unknown")]
    Unknown,
    /// The callee is stopping.
    #[error("draining")]
    Draining,
}

/// A whole call failed; nothing is known about its items. Every contract allows a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The callee is gone or was never there.
    #[error("{role} is unavailable")]
    Unavailable {
        /// Which role.
        role: &'static str,
    },
    /// No answer within [`Call::timeout`].
    #[error("{role} did not answer in time")]
    Deadline {
        /// Which role.
        role: &'static str,
    },
    /// The callee has too much to do; come back later.
    #[error("{role} is overloaded")]
    Overloaded {
        /// Which role.
        role: &'static str,
    },
    /// The callee failed to carry it out (its store failed, say).
    #[error("{role} failed")]
    Failed {
        /// Which role.
        role: &'static str,
    },
}
