//! The way into a loop from other threads.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
use std::time::Duration;

use async_trait::async_trait;
use cluster::RingWatch;
use model::{CredentialId, Epoch, Seq, SlotName, Topic};
use rpc::{AdoptedSocket, Call, CallError, Delivery, Gateway, GatewayJourney, PresenceChange, Reply};
use tokio::sync::{mpsc, oneshot};

/// Commands that wait for a loop. Full: deliveries are refused as overloaded, sockets are closed with 4002,
/// the rest waits.
pub(crate) const COMMANDS_MAX: usize = 1_024;
/// Events that a loop may hold, queued or waiting for sockets. Full: deliveries are refused as overloaded,
/// and the Channel Server degrades them to heads.
const BACKLOG_EVENTS_MAX: usize = 65_536;

/// What a loop is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take a socket.
    Adopt(Box<AdoptedSocket>),
    /// Write deliveries.
    Deliver(Vec<Delivery>),
    /// Note how people are, as of an epoch of the ring of presence servers.
    Presence(Epoch, Vec<PresenceChange>),
    /// End the sessions of credentials; answer with how many.
    Revoke(Vec<CredentialId>, oneshot::Sender<u32>),
    /// Tell what is remembered.
    Journey(Topic, Seq, oneshot::Sender<Option<GatewayJourney>>),
    /// Close all sessions over a time; answer when that is done.
    Drain(Duration, oneshot::Sender<()>),
}

/// What other threads see of a loop without asking.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Sockets, those that are starting included.
    pub(crate) sockets: AtomicUsize,
    /// Deliveries in the command queue.
    pub(crate) queued: AtomicUsize,
    /// Events taken from it that are not written yet.
    pub(crate) backlog: AtomicUsize,
    /// When the loop last came round, milliseconds since it was started.
    pub(crate) beat_ms: AtomicU64,
    /// No new sockets.
    pub(crate) draining: AtomicBool,
}

/// The [`Gateway`] contract of one loop.
#[derive(Debug)]
pub(crate) struct Port {
    /// The ring of Channel Servers.
    pub(crate) ring: RingWatch,
    /// The ring of presence servers.
    pub(crate) presence_ring: RingWatch,
    /// Into the loop.
    pub(crate) commands: mpsc::Sender<Command>,
    /// Its load.
    pub(crate) load: Arc<Load>,
}

const GONE: CallError = CallError::Unavailable { role: "gateway" };

impl Port {
    /// Whether a delivery comes from somebody who, by a newer ring, does not own the slot any more.
    fn refuses(ring: &RingWatch, call: &Call, slot: &SlotName) -> Option<Reply> {
        let ring = ring.borrow();
        let owner = ring.slot(slot).map(|slot| &slot.node);
        let old = call.epoch < ring.epoch() && owner != Some(&call.caller);
        old.then(|| Reply::NotOwner { epoch: ring.epoch() })
    }
}

#[async_trait]
impl Gateway for Port {
    async fn deliver(
        &self,
        call: &Call,
        slot: SlotName,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Reply>, CallError> {
        let count = deliveries.len();
        if let Some(refusal) = Self::refuses(&self.ring, call, &slot) {
            return Ok(vec![refusal; count]);
        }
        let overloaded = CallError::Overloaded { role: "gateway" };
        let held = self.load.queued.load(Ordering::Relaxed) + self.load.backlog.load(Ordering::Relaxed);
        if held + count > BACKLOG_EVENTS_MAX && held > 0 {
            return Err(overloaded);
        }
        self.load.queued.fetch_add(count, Ordering::Relaxed);
        match self.commands.try_send(Command::Deliver(deliveries)) {
            Ok(()) => Ok(vec![Reply::Ok; count]),
            Err(error) => {
                self.load.queued.fetch_sub(count, Ordering::Relaxed);
                Err(match error {
                    mpsc::error::TrySendError::Full(_) => overloaded,
                    mpsc::error::TrySendError::Closed(_) => GONE,
                })
            }
        }
    }

    async fn presence(
        &self,
        call: &Call,
        slot: SlotName,
        changes: Vec<PresenceChange>,
    ) -> Result<Vec<Reply>, CallError> {
        let count = changes.len();
        if let Some(refusal) = Self::refuses(&self.presence_ring, call, &slot) {
            return Ok(vec![refusal; count]);
        }
        match self.commands.try_send(Command::Presence(call.epoch, changes)) {
            Ok(()) => Ok(vec![Reply::Ok; count]),
            Err(mpsc::error::TrySendError::Full(_)) => Err(CallError::Overloaded { role: "gateway" }),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(GONE),
        }
    }

    async fn revoke(&self, _call: &Call, credentials: Vec<CredentialId>) -> Result<u32, CallError> {
        let (answer, ended) = oneshot::channel();
        self.commands.send(Command::Revoke(credentials, answer)).await.map_err(|_| GONE)?;
        ended.await.map_err(|_| GONE)
    }

    async fn journey(
        &self,
        _call: &Call,
        topic: Topic,
        seq: Seq,
    ) -> Result<Option<GatewayJourney>, CallError> {
        let (answer, journey) = oneshot::channel();
        self.commands.send(Command::Journey(topic, seq, answer)).await.map_err(|_| GONE)?;
        journey.await.map_err(|_| GONE)
    }
}
