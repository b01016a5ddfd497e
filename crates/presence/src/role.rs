//! Role presence: what a slot needs, and how it runs.

use std::{future::Future, sync::Arc, time::Duration};

use cluster::{Ring, RingWatch};
use model::{NodeId, SlotName};
use rpc::{Directory, Gateway, Presence};
use runtime::{OnEnd, Tasks};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{host::Host, metrics::PresenceMetrics, state::Limits};

/// Times and bounds of a slot. Every default suits production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Those of the state.
    pub limits: Limits,
    /// How long changes are collected before a gateway is told. Default 50 ms.
    pub batch_wait: Duration,
    /// People that a gateway is told of at once. Default 500.
    pub batch_people_max: usize,
    /// How long a gateway may take for an answer. Default 2 s.
    pub tell_timeout: Duration,
    /// Pause after a gateway could not be told. Default 200 ms.
    pub retry_wait: Duration,
    /// How long a call with a newer ring waits for it to come here too. Default 500 ms.
    pub ring_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            batch_wait: Duration::from_millis(50),
            batch_people_max: 500,
            tell_timeout: Duration::from_secs(2),
            retry_wait: Duration::from_millis(200),
            ring_wait: Duration::from_millis(500),
        }
    }
}

/// What a slot talks to.
#[derive(Clone)]
pub struct Deps {
    /// Who owns whom: the ring of presence servers.
    pub ring: RingWatch,
    /// The gateways that may report and watch. One that is removed is gone, and what it had with it.
    pub gateways: Arc<Directory<dyn Gateway>>,
    /// Registered once per process.
    pub metrics: PresenceMetrics,
}

/// A slot that runs.
pub struct SlotHandle {
    host: Arc<Host>,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// Starts the presence server of a slot as `node`. It knows nothing: gateways tell it.
///
/// It serves once the ring says that it does, and ends by itself when the ring says so no longer, or when the
/// process drains.
#[must_use]
pub fn start(config: Config, slot: SlotName, node: NodeId, deps: Deps, tasks: &Tasks) -> SlotHandle {
    let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
    let host = Arc::new(Host::new(config, slot, node, deps, &stop));
    let running = Running { tasks: tasks.clone(), stop: stop.clone(), ended: ended.clone() };
    running.spawn("presence time", Arc::clone(&host), |host| async move { host.keep_time().await });
    running.spawn("presence tell", Arc::clone(&host), |host| async move { host.tell().await });
    let (serves, drain) = (host.serves(&host.ring()), tasks.drain().clone());
    running.spawn("presence life", Arc::clone(&host), |host| live(host, serves, drain));
    SlotHandle { host, stop, ended }
}

impl SlotHandle {
    /// The port to it. The transport that callers use is made around this.
    #[must_use]
    pub fn port(&self) -> Arc<dyn Presence> {
        Arc::clone(&self.host) as Arc<dyn Presence>
    }

    /// As which node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.host.node
    }

    /// Cancelled when it does not run any more: a task failed, it was killed, replaced, or it has drained.
    #[must_use]
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Stops it where it stands, like a process that dies.
    pub fn kill(&self) {
        self.stop.cancel();
        self.ended.cancel();
    }
}

/// Runs the tasks of one slot. All end together, whichever ends first.
#[derive(Clone)]
struct Running {
    tasks: Tasks,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Running {
    fn spawn<F>(&self, name: &'static str, host: Arc<Host>, task: impl FnOnce(Arc<Host>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        // Dropped at the end, a panic included.
        let ending = (self.stop.clone().drop_guard(), self.ended.clone().drop_guard());
        let future = task(host);
        self.tasks.spawn(name, OnEnd::Ignore, async move {
            let _ending = ending;
            tokio::select! {
                () = stop.cancelled() => {}
                () = future => {}
            }
        });
    }
}

/// Ends when the slot was given to another node, or the process drains: what it knows is nobody's loss. `serves`:
/// the ring named the node when it started.
async fn live(host: Arc<Host>, serves: bool, draining: CancellationToken) {
    let mut ring = host.watch_ring();
    let replaced = async {
        // A node is started before the ring names it, and may be replaced before it has seen that.
        let named = |ring: &Ring| host.serves(ring) || host.is_outlived(ring);
        let known = serves || ring.wait_for(|ring| named(ring)).await.is_ok();
        if !known || ring.wait_for(|ring| !host.serves(ring)).await.is_err() {
            // Nobody decides any more: the last ring serves.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = replaced => info!(slot = %host.slot, node = %host.node, "slot was given to another node"),
        () = draining.cancelled() => {}
    }
}
