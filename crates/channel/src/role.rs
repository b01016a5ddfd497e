//! Role channel: what a slot needs, and how it runs.

use std::{future::Future, sync::Arc, time::Duration};

use cluster::{Ring, RingWatch};
use model::{NodeId, SlotName};
use rpc::{ChannelServer, Directory, Gateway, Web, call::TIMEOUT_ON_THE_WAY};
use runtime::{Clock, OnEnd, Tasks};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    host::Host,
    link::{Link, LinkConfig},
    metrics::ChannelMetrics,
    topic::{GatewayKey, TopicLimits},
};

/// Bounds and patience of a slot. Every default suits production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Bounds of one topic.
    pub topic: TopicLimits,
    /// Bounds of the way to one gateway.
    pub link: LinkConfig,
    /// Topics in memory. A subscription of one more is refused as full. Default 500,000.
    pub topics_max: usize,
    /// Bytes of the events that all topics keep, about. Beyond it nothing more is kept. Default 16 MiB.
    pub events_bytes_max: usize,
    /// Events that the journal remembers; older ones are forgotten. Default 2,048.
    pub journal_events_max: usize,
    /// How long a call with a newer ring waits for it to come here too. Default 500 ms.
    pub ring_wait: Duration,
    /// How long a hole may fill by itself before it is read. Default 20 ms.
    pub hole_wait: Duration,
    /// Holes that are read at the same time. Default 4.
    pub readers: usize,
    /// How long `web` may take for an answer. Default 1 s.
    pub web_timeout: Duration,
    /// Pause after a failed or fruitless call to `web`; doubles up to [`Config::retry_max`]. Default 20 ms.
    pub retry_min: Duration,
    /// Longest such pause. Default 500 ms.
    pub retry_max: Duration,
    /// After one to two such times without a change a topic gives its memory back. Default 60 s.
    pub idle_after: Duration,
    /// How long the queues to gateways may take to empty when the slot drains. Default 3 s.
    pub drain_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            topic: TopicLimits::default(),
            link: LinkConfig::default(),
            topics_max: 500_000,
            events_bytes_max: 16 << 20,
            journal_events_max: 2_048,
            ring_wait: Duration::from_millis(500),
            hole_wait: Duration::from_millis(20),
            readers: 4,
            web_timeout: TIMEOUT_ON_THE_WAY,
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_millis(500),
            idle_after: Duration::from_secs(60),
            drain_max: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// The pause after so many failures in a row.
    pub(crate) fn backoff(&self, failures: u8) -> Duration {
        let doublings = u32::from(failures.saturating_sub(1)).min(16);
        self.retry_min.saturating_mul(1 << doublings).min(self.retry_max)
    }
}

/// What a slot talks to.
#[derive(Clone)]
pub struct Deps {
    /// Who owns what.
    pub ring: RingWatch,
    /// The gateways that may subscribe. One that is removed is gone, and its subscriptions with it.
    pub gateways: Arc<Directory<dyn Gateway>>,
    /// Heads and missing events. Its reads see every commit that came before them.
    pub web: Arc<dyn Web>,
    /// For the journey only.
    pub clock: Clock,
    /// Registered once per process.
    pub metrics: ChannelMetrics,
}

/// A slot that runs.
pub struct SlotHandle {
    host: Arc<Host>,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// Starts the Channel Server of a slot as `node`. It knows nothing: its state comes from the store.
///
/// It serves once the ring says that it does, and ends by itself when the ring says so no longer, or when
/// the process drains.
#[must_use]
pub fn start(config: Config, slot: SlotName, node: NodeId, deps: Deps, tasks: &Tasks) -> SlotHandle {
    let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
    let host = Arc::new(Host::new(config, slot, node, deps, &stop));
    let running = Running { tasks: tasks.clone(), stop: stop.clone(), ended: ended.clone() };
    running.spawn("channel heads", Arc::clone(&host), |host| async move { host.learn_heads().await });
    for _ in 0..config.readers.max(1) {
        running.spawn("channel holes", Arc::clone(&host), |host| async move { host.read_holes().await });
    }
    running.spawn("channel sweep", Arc::clone(&host), |host| async move { host.sweep_idle().await });
    let links = running.clone();
    running.spawn("channel links", Arc::clone(&host), |host| run_links(host, links));
    let (serves, drain) = (host.serves(&host.ring()), tasks.drain().clone());
    running.spawn("channel life", Arc::clone(&host), |host| live(host, serves, drain));
    SlotHandle { host, stop, ended }
}

impl SlotHandle {
    /// The port to it. The transport that callers use is made around this.
    #[must_use]
    pub fn port(&self) -> Arc<dyn ChannelServer> {
        Arc::clone(&self.host) as Arc<dyn ChannelServer>
    }

    /// Which slot it serves.
    #[must_use]
    pub fn slot(&self) -> &SlotName {
        &self.host.slot
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

    /// Takes nothing more, waits until the gateways have what was queued, at most
    /// [`Config::drain_max`], and ends.
    pub async fn drain(&self) {
        drain(&self.host).await;
        self.kill();
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

/// Starts a task for each new link.
async fn run_links(host: Arc<Host>, running: Running) {
    loop {
        for (key, link) in host.gateways.take_idle() {
            let (tasks, stop) = (&running.tasks, running.stop.clone());
            // A gateway that is gone ends its link only; a panic fails the slot.
            let failing = running.stop.clone().drop_guard();
            let host = Arc::clone(&host);
            tasks.spawn("channel link", OnEnd::Ignore, async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = run_link(&host, key, &link) => { let _runs_on = failing.disarm(); }
                }
            });
        }
        host.gateways.added.notified().await;
    }
}

async fn run_link(host: &Host, key: GatewayKey, link: &Link) {
    let gone = link.run(&host.slot, &host.node, || host.epoch(), &host.deps.gateways).await;
    info!(slot = %host.slot, gateway = %link.gateway(), ?gone, "gateway is gone, its subscriptions end");
    host.gateways.remove(key);
}

/// Ends when the slot was given to another node, or the process drains and all is delivered. `serves`: the
/// ring named the node when it started.
async fn live(host: Arc<Host>, serves: bool, draining: CancellationToken) {
    let mut ring = host.deps.ring.clone();
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
    drain(&host).await;
}

async fn drain(host: &Host) {
    host.start_drain();
    let links = host.gateways.all();
    let flushed = futures_util::future::join_all(links.iter().map(|(_, link)| link.flushed()));
    if tokio::time::timeout(host.config.drain_max, flushed).await.is_err() {
        info!(slot = %host.slot, "gateways did not take everything before the end; they read it later");
    }
}
