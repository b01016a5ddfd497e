//! Role admin: what it needs, and the port that others call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cluster::RingWatch;
use model::{CredentialId, Head, NodeId, Seq, Topic};
use rpc::{
    Admin, Call, CallError, ChannelServer, Directory, EventRecord, Gateway, Journey, Reply, Revoked, Signal,
};
use runtime::{Clock, Tasks};

use crate::{journal::Journal, metrics::AdminMetrics, publish::Queues};

/// Name of the role in errors.
pub(crate) const ROLE: &str = "admin";

/// Bounds and patience of the role. Every default suits production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Events that may wait for one slot. More are refused as full, and the sweep repairs. Default 16,384.
    pub queue_events_max: usize,
    /// Bytes that may wait for one slot; likewise. Default 16 MiB.
    pub queue_bytes_max: usize,
    /// Events in one call to a slot. Default 512.
    pub batch_events_max: usize,
    /// Bytes in one call to a slot; one larger event goes alone. Default 512 KiB.
    pub batch_bytes_max: usize,
    /// How long a slot may take for a batch before it is sent again. Default 1 s.
    pub call_timeout: Duration,
    /// How long a slot may take for heads; the next sweep repeats them. Default 500 ms.
    pub announce_timeout: Duration,
    /// Pause after a failed call; doubles up to [`Config::retry_max`]. Default 10 ms.
    pub retry_min: Duration,
    /// Longest such pause. Default 200 ms.
    pub retry_max: Duration,
    /// Lease of a gateway: after so long without contact it writes to no session. Default 2 s.
    pub lease: Duration,
    /// Events that the journal remembers; older ones are forgotten. Default 8,192.
    pub journal_events_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_events_max: 16_384,
            queue_bytes_max: 16 << 20,
            batch_events_max: 512,
            batch_bytes_max: 512 << 10,
            call_timeout: Duration::from_secs(1),
            announce_timeout: Duration::from_millis(500),
            retry_min: Duration::from_millis(10),
            retry_max: Duration::from_millis(200),
            lease: Duration::from_secs(2),
            journal_events_max: 8_192,
        }
    }
}

/// What the role talks to.
#[derive(Clone)]
pub struct Deps {
    /// The name that it calls others by.
    pub node: NodeId,
    /// Who owns what.
    pub ring: RingWatch,
    /// The Channel Servers, by the nodes that the ring names.
    pub channels: Arc<Directory<dyn ChannelServer>>,
    /// All gateways.
    pub gateways: Arc<Directory<dyn Gateway>>,
    /// For the journey only.
    pub clock: Clock,
    /// Registered once per process.
    pub metrics: AdminMetrics,
}

/// The role's state.
pub(crate) struct Role {
    pub(crate) config: Config,
    pub(crate) deps: Deps,
    pub(crate) metrics: AdminMetrics,
    pub(crate) tasks: Tasks,
    pub(crate) queues: Queues,
    pub(crate) journal: Mutex<Journal>,
}

/// The port: calls end here.
struct Port(Arc<Role>);

/// Starts the role. Its tasks end with the drain, after what was queued is handed over or given up. What
/// publishes must have stopped before the drain starts.
#[must_use]
pub fn start(config: Config, deps: Deps, tasks: &Tasks) -> Arc<dyn Admin> {
    let metrics = deps.metrics.clone();
    let journal = Mutex::new(Journal::new(config.journal_events_max));
    let queues = Mutex::new(HashMap::new());
    Arc::new(Port(Arc::new(Role { config, deps, metrics, tasks: tasks.clone(), queues, journal })))
}

#[async_trait]
impl Admin for Port {
    /// Answers when the events are queued for their slots: [`Reply::Ok`], or refused as full.
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        Ok(self.0.queue(call, events))
    }

    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        let role = &self.0;
        role.metrics.announced.inc_by(heads.len().try_into().unwrap_or(u64::MAX));
        // The next sweep comes soon, and a slot that does not answer must not hold it up.
        let call = Call { timeout: call.timeout.min(role.config.announce_timeout), ..call.clone() };
        let send = |port: Arc<dyn ChannelServer>, call: Call, heads| async move {
            port.announce(&call, heads).await
        };
        Ok(role.forward(&call, heads, |head| head.topic, send).await)
    }

    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        let role = &self.0;
        let send = |port: Arc<dyn ChannelServer>, call: Call, signals| async move {
            port.signal(&call, signals).await
        };
        let replies = role.forward(call, signals, |signal| signal.topic, send).await;
        for reply in &replies {
            if *reply == Reply::Ok { &role.metrics.signals } else { &role.metrics.signals_lost }.inc();
        }
        Ok(replies)
    }

    async fn revoke(&self, call: &Call, credentials: Vec<CredentialId>) -> Result<Revoked, CallError> {
        Ok(self.0.revoke_everywhere(call, credentials).await)
    }

    async fn journey(&self, call: &Call, topic: Topic, seq: Seq) -> Result<Journey, CallError> {
        let role = &self.0;
        let admin = role.journal.lock().unwrap_or_else(PoisonError::into_inner).find(topic, seq);
        let ask =
            |port: Arc<dyn ChannelServer>, call: Call| async move { port.journey(&call, topic, seq).await };
        // What admin knows is worth having although the slot does not answer.
        let channel = role.ask(call, topic, ask).await.unwrap_or_default();
        Ok(Journey { admin, channel })
    }
}
