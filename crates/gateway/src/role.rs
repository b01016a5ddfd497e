//! The role: its configuration, what it needs, and how it is started and stopped.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use cluster::RingWatch;
use model::NodeId;
use rpc::{Adopt, AdoptedSocket, ChannelServer, Directory, Gateway, Presence, Web};
use runtime::{Clock, OnEnd, Tasks, telemetry::Metrics};
use tokio::sync::{mpsc, oneshot};
use wire::realtime::CloseCode;

use crate::{
    codec, core,
    hub::Limits,
    metrics::{GatewayMetrics, ReasonLabel},
    port::{COMMANDS_MAX, Command, Load, Port},
};

/// What an operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Name of this process' gateways, which are called `{name}/{loop}`.
    pub name: String,
    /// Differs for each start; larger is newer.
    pub incarnation: u64,
    /// Loops, each a thread with sockets of its own. At least 1; default: one per core.
    pub loops: usize,
    /// Sockets that one loop takes; further ones are closed with 4002. Default 20,000.
    pub sessions_max: usize,
    /// Bytes that may wait for one slow session before it is degraded. Default 256 KiB.
    pub session_queue_bytes_max: usize,
    /// Bytes that may wait in all of one loop's queues before slow sessions are degraded at a fraction of
    /// their own budget. Default 128 MiB.
    pub loop_queue_bytes_max: usize,
    /// Kernel send buffer of a socket, bytes. Bounds what a slow reader costs outside our own queues.
    /// Default 128 KiB.
    pub send_buffer_bytes: usize,
    /// A person's activity is told to presence servers once in this time: a small part of the time after which
    /// they are away without. Default 30 s.
    pub activity_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "gateway".to_owned(),
            incarnation: 1,
            loops: std::thread::available_parallelism().map_or(1, usize::from),
            sessions_max: 20_000,
            session_queue_bytes_max: 256 << 10,
            loop_queue_bytes_max: 128 << 20,
            send_buffer_bytes: 128 << 10,
            activity_every: Duration::from_secs(30),
        }
    }
}

/// The ports and services that a gateway uses.
#[derive(Clone)]
pub struct Deps {
    /// Boot, catch-up, messages typed over RTM.
    pub web: Arc<dyn Web>,
    /// The Channel Servers, by node.
    pub channels: Arc<Directory<dyn ChannelServer>>,
    /// Who owns which topic.
    pub ring: RingWatch,
    /// Whoever finds the presence server of each person.
    pub presence: Arc<dyn Presence>,
    /// The ring of presence servers: when it changes, they are told anew.
    pub presence_ring: RingWatch,
    /// Time of day, for the journey.
    pub clock: Clock,
    /// Where metrics are registered.
    pub metrics: Metrics,
    /// Watches the loops: one that ends before the drain stops the process.
    pub tasks: Tasks,
}

/// One loop, as other roles see it: register `port` under `node`, its calls running on `runtime`.
#[derive(Clone)]
pub struct LoopPort {
    /// Its name in subscriptions.
    pub node: NodeId,
    /// The contract.
    pub port: Arc<dyn Gateway>,
    /// The loop's own runtime.
    pub runtime: tokio::runtime::Handle,
}

/// How the gateway is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Sessions open now, over all loops.
    pub sessions: usize,
    /// Loops that have not come round for 5 s. Not empty: unhealthy.
    pub stuck: Vec<String>,
    /// No new sockets are taken.
    pub draining: bool,
}

/// The running gateway.
#[derive(Clone)]
pub struct Handle {
    adopt: Arc<Adopter>,
    ports: Vec<LoopPort>,
}

/// A loop could not be started.
#[derive(Debug, thiserror::Error)]
#[error("gateway loop: {0}")]
pub struct StartError(#[from] std::io::Error);

/// Starts the loops, each on a thread of its own. To be called inside a runtime, which watches them.
///
/// # Errors
/// [`StartError`]: the system gave no thread or no event queue.
pub fn start(config: &Config, deps: &Deps) -> Result<Handle, StartError> {
    start_with(config, deps, |number, parts, commands| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name(format!("gateway-{number}")).spawn(move || {
            // Dropped at the end, also by a panic.
            let _alive = alive;
            tokio::task::LocalSet::new().block_on(&runtime, core::run(parts, commands));
        })?;
        Ok((handle, ended))
    })
}

/// As [`start`], with every loop on the caller's `LocalSet`: the simulator has one thread.
///
/// # Errors
/// None; the type is that of [`start`].
pub fn start_here(config: &Config, deps: &Deps) -> Result<Handle, StartError> {
    start_with(config, deps, |_, parts, commands| {
        let (alive, ended) = oneshot::channel::<()>();
        tokio::task::spawn_local(async move {
            let _alive = alive;
            core::run(parts, commands).await;
        });
        Ok((tokio::runtime::Handle::current(), ended))
    })
}

/// Makes each loop; `run` sets it going and says on which runtime, and how its end is heard of.
fn start_with(
    config: &Config,
    deps: &Deps,
    run: impl Fn(
        usize,
        core::Parts,
        mpsc::Receiver<Command>,
    ) -> std::io::Result<(tokio::runtime::Handle, oneshot::Receiver<()>)>,
) -> Result<Handle, StartError> {
    let metrics = GatewayMetrics::register(&deps.metrics);
    let mut ports = Vec::new();
    let mut loops = Vec::new();
    for number in 0..config.loops.max(1) {
        let node = NodeId { name: format!("{}/{number}", config.name), incarnation: config.incarnation };
        let load = Arc::new(Load::default());
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let parts = parts(config, deps, node.clone(), metrics.clone(), Arc::clone(&load));
        let (handle, ended) = run(number, parts, commands)?;
        let drain = deps.tasks.drain().clone();
        deps.tasks.spawn("gateway loop", OnEnd::Stop, async move {
            tokio::select! {
                _ = ended => {}
                () = drain.cancelled() => {}
            }
        });
        let port = Port {
            ring: deps.ring.clone(),
            presence_ring: deps.presence_ring.clone(),
            commands: sender.clone(),
            load: Arc::clone(&load),
        };
        ports.push(LoopPort { node, port: Arc::new(port), runtime: handle });
        loops.push(LoopEntry { name: format!("gateway-{number}"), commands: sender, load });
    }
    Ok(Handle { adopt: Arc::new(Adopter { loops, started: Instant::now(), metrics }), ports })
}

fn parts(
    config: &Config,
    deps: &Deps,
    node: NodeId,
    metrics: GatewayMetrics,
    load: Arc<Load>,
) -> core::Parts {
    core::Parts {
        node,
        limits: Limits {
            session_queue_bytes_max: config.session_queue_bytes_max,
            loop_queue_bytes_max: config.loop_queue_bytes_max,
            activity_every_ms: u64::try_from(config.activity_every.as_millis()).unwrap_or(u64::MAX),
        },
        sessions_max: config.sessions_max,
        send_buffer_bytes: config.send_buffer_bytes,
        web: Arc::clone(&deps.web),
        channels: Arc::clone(&deps.channels),
        ring: deps.ring.clone(),
        presence: Arc::clone(&deps.presence),
        presence_ring: deps.presence_ring.clone(),
        clock: deps.clock.clone(),
        metrics,
        load,
    }
}

impl Handle {
    /// Takes sockets; each goes to the loop with the fewest.
    #[must_use]
    pub fn adopt(&self) -> Arc<dyn Adopt> {
        Arc::clone(&self.adopt) as Arc<dyn Adopt>
    }

    /// The loops.
    #[must_use]
    pub fn ports(&self) -> &[LoopPort] {
        &self.ports
    }

    /// Refuses new sockets, says goodbye to all sessions and closes them evenly over `over` with 4000.
    /// Returns when all are closed.
    pub async fn drain(&self, over: Duration) {
        let mut ends = Vec::new();
        for entry in &self.adopt.loops {
            entry.load.draining.store(true, Ordering::Relaxed);
            let (answer, end) = oneshot::channel();
            if entry.commands.send(Command::Drain(over, answer)).await.is_ok() {
                ends.push(end);
            }
        }
        for end in ends {
            // A loop that ended has no sockets either.
            let _ = end.await;
        }
    }

    /// How the gateway is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let now_ms = u64::try_from(self.adopt.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut health = Health::default();
        for entry in &self.adopt.loops {
            health.sessions += entry.load.sockets.load(Ordering::Relaxed);
            health.draining |= entry.load.draining.load(Ordering::Relaxed);
            let silent = now_ms.saturating_sub(entry.load.beat_ms.load(Ordering::Relaxed)) > STUCK_AFTER_MS;
            if silent || entry.commands.is_closed() {
                health.stuck.push(entry.name.clone());
            }
        }
        health
    }
}

/// A loop that has not come round for this long is stuck, milliseconds.
const STUCK_AFTER_MS: u64 = 5_000;

struct LoopEntry {
    name: String,
    commands: mpsc::Sender<Command>,
    load: Arc<Load>,
}

struct Adopter {
    loops: Vec<LoopEntry>,
    started: Instant,
    metrics: GatewayMetrics,
}

impl Adopt for Adopter {
    fn adopt(&self, socket: AdoptedSocket) {
        let least = self.loops.iter().min_by_key(|entry| entry.load.sockets.load(Ordering::Relaxed));
        let Some(entry) = least else { return };
        entry.load.sockets.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = entry.commands.try_send(Command::Adopt(Box::new(socket))) {
            entry.load.sockets.fetch_sub(1, Ordering::Relaxed);
            let (mpsc::error::TrySendError::Full(command) | mpsc::error::TrySendError::Closed(command)) =
                error;
            if let Command::Adopt(mut socket) = command {
                self.metrics.boot_failures.get_or_create(&ReasonLabel { reason: "queue_full" }).inc();
                let close = codec::close_frame(CloseCode::Overloaded.code(), CloseCode::Overloaded.name());
                // Best effort: the loop that would do it properly has no time.
                let _ = socket.stream.write_now(&close);
            }
        }
    }
}
