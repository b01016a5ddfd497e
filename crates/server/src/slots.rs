//! Keeps a Channel Server behind every slot of this process: a dead one is replaced by a new incarnation.

use std::sync::{Arc, Mutex, PoisonError};

use channel::role::SlotHandle;
use cluster::{ControlHandle, RingWatch};
use model::{NodeId, SlotName};
use rpc::{ChannelServer, Directory, Gateway, Local, Web};
use runtime::{Clock, OnEnd, Tasks};
use tracing::{info, warn};

/// What every slot needs.
#[derive(Clone)]
pub struct SlotsDeps {
    /// Decides who serves which slot.
    pub control: ControlHandle,
    /// Where the slots' ports are found.
    pub channels: Arc<Directory<dyn ChannelServer>>,
    /// The gateways.
    pub gateways: Arc<Directory<dyn Gateway>>,
    /// Heads and catch-up.
    pub web: Arc<dyn Web>,
    /// Wall clock.
    pub clock: Clock,
    /// Metrics of the role.
    pub metrics: channel::metrics::ChannelMetrics,
}

/// The slots of this process.
#[derive(Clone)]
pub struct Slots {
    running: Arc<Mutex<Vec<Running>>>,
}

#[derive(Clone)]
struct Running {
    slot: SlotName,
    host: Arc<SlotHandle>,
    port: Arc<Local<dyn ChannelServer>>,
}

impl Slots {
    /// Starts a Channel Server for every slot of the ring, and watches them until the drain.
    #[must_use]
    pub fn start(config: channel::role::Config, deps: &SlotsDeps, tasks: &Tasks) -> Self {
        let ring: RingWatch = deps.control.ring();
        let slots: Vec<_> = ring.borrow().slots().to_vec();
        let running = Arc::new(Mutex::new(Vec::new()));
        for slot in slots {
            let first = start(config, &slot.name, slot.node, deps, tasks);
            lock(&running).push(first.clone());
            let (deps, running, watched) = (deps.clone(), Arc::clone(&running), tasks.clone());
            tasks.spawn(
                "slot",
                OnEnd::Stop,
                async move { keep(config, first, deps, running, watched).await },
            );
        }
        Self { running }
    }

    /// Kills the Channel Server of a slot, as a crash of its process would: what it held in memory is gone
    /// and whoever waits for it gets no answer. For tests.
    pub fn kill(&self, slot: &SlotName) {
        let found = lock(&self.running).iter().find(|running| running.slot == *slot).cloned();
        if let Some(running) = found {
            running.port.kill();
            running.host.kill();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(
    config: channel::role::Config,
    slot: &SlotName,
    node: NodeId,
    deps: &SlotsDeps,
    tasks: &Tasks,
) -> Running {
    let channel_deps = channel::role::Deps {
        ring: deps.control.ring(),
        gateways: Arc::clone(&deps.gateways),
        web: Arc::clone(&deps.web),
        clock: deps.clock.clone(),
        metrics: deps.metrics.clone(),
    };
    let host = Arc::new(channel::role::start(config, slot.clone(), node.clone(), channel_deps, tasks));
    let port = Local::new("channel", host.port(), tokio::runtime::Handle::current());
    deps.channels.insert(node, Arc::clone(&port) as Arc<dyn ChannelServer>);
    Running { slot: slot.clone(), host, port }
}

/// Replaces the slot's Channel Server whenever it ends, until the drain.
async fn keep(
    config: channel::role::Config,
    first: Running,
    deps: SlotsDeps,
    running: Arc<Mutex<Vec<Running>>>,
    tasks: Tasks,
) {
    let mut current = first;
    loop {
        tokio::select! {
            () = tasks.drain().cancelled() => return,
            () = current.host.ended().cancelled() => {}
        }
        if tasks.drain().is_cancelled() {
            return;
        }
        let dead = current.host.node().clone();
        warn!(slot = %current.slot, node = %dead, "channel server ended, replacing it");
        current.port.kill();
        deps.channels.remove(&dead);
        deps.control.lost(&dead);
        let node = NodeId { name: dead.name, incarnation: dead.incarnation + 1 };
        current = start(config, &current.slot, node.clone(), &deps, &tasks);
        for entry in lock(&running).iter_mut().filter(|entry| entry.slot == current.slot) {
            entry.clone_from(&current);
        }
        match deps.control.offered(node) {
            Ok(slot) => info!(slot = ?slot, node = %current.host.node(), "channel server replaced"),
            Err(error) => warn!(%error, "the new channel server is not taken"),
        }
    }
}
