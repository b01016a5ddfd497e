//! The slots of one process: a presence server each, and another one when it dies.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cluster::ControlHandle;
use model::{NodeId, SlotName, TraceId};
use rpc::{Call, CallError, Directory, Local, Presence};
use runtime::{OnEnd, Tasks};
use tokio::{runtime::Handle, time::Instant};
use tracing::{info, warn};

use crate::role::{self, Config, Deps, SlotHandle};

/// How the slots of a process are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotsConfig {
    /// What each slot is started with.
    pub slot: Config,
    /// Time between two health checks of a slot, and how long it may take to answer one. Default 500 ms.
    pub check_every: Duration,
    /// Checks in a row that a slot may miss before it is replaced. Default 3.
    pub checks_missed_max: u32,
    /// A slot that lives shorter than this is started again only after this pause. Default 500 ms.
    pub restart_pause: Duration,
}

impl Default for SlotsConfig {
    fn default() -> Self {
        Self {
            slot: Config::default(),
            check_every: Duration::from_millis(500),
            checks_missed_max: 3,
            restart_pause: Duration::from_millis(500),
        }
    }
}

/// The slots of this process. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub struct Slots(Arc<Shared>);

struct Shared {
    config: SlotsConfig,
    control: ControlHandle,
    directory: Arc<Directory<dyn Presence>>,
    deps: Deps,
    tasks: Tasks,
    runtime: Handle,
    running: Mutex<HashMap<SlotName, Arc<Running>>>,
}

/// A slot's host and the transport to it.
struct Running {
    handle: SlotHandle,
    port: Arc<Local<dyn Presence>>,
}

impl Running {
    fn kill(&self) {
        self.port.kill();
        self.handle.kill();
    }
}

/// Starts a presence server for every slot of the ring, as the node that the ring names, and adds it to the
/// directory. One that ends or misses its checks is replaced by a new incarnation at once, and the ring
/// says so with a new epoch. Must be called on the runtime that the slots are to run on.
#[must_use]
pub fn start(
    config: SlotsConfig,
    control: ControlHandle,
    directory: Arc<Directory<dyn Presence>>,
    deps: Deps,
    tasks: &Tasks,
) -> Slots {
    let ring = Arc::clone(&control.ring().borrow());
    let (tasks, runtime, running) = (tasks.clone(), Handle::current(), Mutex::default());
    let slots = Slots(Arc::new(Shared { config, control, directory, deps, tasks, runtime, running }));
    for slot in ring.slots() {
        slots.start_host(slot.name.clone(), slot.node.clone());
        let (watching, name) = (slots.clone(), slot.name.clone());
        slots.0.tasks.spawn("presence slot", OnEnd::Stop, async move {
            let drain = watching.0.tasks.drain().clone();
            tokio::select! {
                () = drain.cancelled() => {}
                () = watching.keep(name) => {}
            }
        });
    }
    slots
}

impl Slots {
    /// Kills the presence server of a slot, like a process that dies. It is replaced. For tests and operators.
    pub fn kill(&self, slot: &SlotName) {
        if let Some(running) = self.running(slot) {
            running.kill();
        }
    }

    /// Cuts the presence server of a slot off: it goes on, but nobody can call it. It misses its checks and is
    /// replaced. For tests.
    pub fn cut_off(&self, slot: &SlotName) {
        if let Some(running) = self.running(slot) {
            running.port.kill();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SlotName, Arc<Running>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self, slot: &SlotName) -> Option<Arc<Running>> {
        self.lock().get(slot).cloned()
    }

    fn start_host(&self, slot: SlotName, node: NodeId) {
        let Shared { config, directory, deps, tasks, runtime, .. } = &*self.0;
        let handle = role::start(config.slot, slot.clone(), node.clone(), deps.clone(), tasks);
        let port = Local::new("presence", handle.port(), runtime.clone());
        directory.insert(node, Arc::clone(&port) as Arc<dyn Presence>);
        self.lock().insert(slot, Arc::new(Running { handle, port }));
    }

    /// Keeps a slot served, for ever.
    async fn keep(&self, slot: SlotName) {
        while let Some(running) = self.running(&slot) {
            let started = Instant::now();
            tokio::select! {
                () = running.handle.ended().cancelled() => {}
                () = self.checks_missed(&running) => {
                    warn!(%slot, node = %running.handle.node(), "slot does not answer");
                }
            }
            running.kill();
            let old = running.handle.node().clone();
            self.0.control.lost(&old);
            if started.elapsed() < self.0.config.restart_pause {
                tokio::time::sleep(self.0.config.restart_pause).await;
            }
            let node = NodeId { incarnation: old.incarnation + 1, ..old.clone() };
            info!(%slot, %node, "slot gets a new presence server");
            // In the directory before in the ring: whoever sees the ring finds the node.
            self.start_host(slot.clone(), node.clone());
            if let Err(error) = self.0.control.offered(node) {
                warn!(%slot, %error, "slot is served by somebody else");
            }
            self.0.directory.remove(&old);
        }
    }

    /// Returns when the slot has missed too many checks in a row.
    async fn checks_missed(&self, running: &Running) {
        let SlotsConfig { check_every, checks_missed_max, .. } = self.0.config;
        let mut missed = 0;
        while missed < checks_missed_max {
            tokio::time::sleep(check_every).await;
            let epoch = self.0.control.ring().borrow().epoch();
            let caller = running.handle.node().clone();
            let call = Call { caller, epoch, trace: TraceId::default(), timeout: check_every };
            // To touch nobody changes nothing, and takes the way of every call.
            // One that has too much to do is alive, and another in its place would have no less.
            missed = match running.port.touch(&call, Vec::new()).await {
                Ok(_) | Err(CallError::Overloaded { .. }) => 0,
                Err(_) => missed + 1,
            };
        }
    }
}
