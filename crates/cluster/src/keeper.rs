//! The slots of one process: a node each, and another one when it dies.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{Epoch, NodeId, SlotName};
use runtime::{OnEnd, Tasks};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::shell::ControlHandle;

/// How the slots of a process are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeeperConfig {
    /// Time between two health checks of a slot, and how long it may take to answer one. Default 500 ms.
    pub check_every: Duration,
    /// Checks in a row that a slot may miss before it is replaced. Default 3.
    pub checks_missed_max: u32,
    /// A slot that lives shorter than this is started again only after this pause. Default 500 ms.
    pub restart_pause: Duration,
}

impl Default for KeeperConfig {
    fn default() -> Self {
        Self {
            check_every: Duration::from_millis(500),
            checks_missed_max: 3,
            restart_pause: Duration::from_millis(500),
        }
    }
}

/// What serves a slot: a role's node, and the transport to it.
pub trait Serving: Send + Sync + 'static {
    /// As which node it serves.
    fn node(&self) -> &NodeId;
    /// Cancelled when it does not run any more.
    fn ended(&self) -> &CancellationToken;
    /// Stops it where it stands, like a process that dies.
    fn kill(&self);
    /// Cuts it off: it goes on, but nobody can call it.
    fn cut_off(&self);
    /// Whether it answers a call that changes nothing, within a time. One that has too much to do does: another in
    /// its place would have no less.
    fn answers(&self, epoch: Epoch, within: Duration) -> impl Future<Output = bool> + Send;
}

/// Starts and forgets nodes of a role.
pub trait Starts<S>: Send + Sync + 'static {
    /// Starts a node for a slot, and puts it into the directory: whoever sees the ring finds the node.
    fn start(&self, slot: SlotName, node: NodeId) -> S;
    /// Takes a node out of the directory.
    fn forget(&self, node: &NodeId);
}

/// The slots of this process. Cheap to clone; every clone is the same one.
pub struct Keeper<S>(Arc<Shared<S>>);

impl<S> Clone for Keeper<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<S> {
    config: KeeperConfig,
    control: ControlHandle,
    starts: Box<dyn Starts<S>>,
    running: Mutex<HashMap<SlotName, Arc<S>>>,
}

impl<S: Serving> Keeper<S> {
    /// Starts a node for every slot of the ring, as the one that the ring names. One that ends or misses its checks is
    /// replaced by a new incarnation at once, and the ring says so with a new epoch.
    #[must_use]
    pub fn start(
        config: KeeperConfig,
        control: ControlHandle,
        starts: impl Starts<S>,
        tasks: &Tasks,
    ) -> Self {
        let ring = Arc::clone(&control.ring().borrow());
        let keeper =
            Self(Arc::new(Shared { config, control, starts: Box::new(starts), running: Mutex::default() }));
        for slot in ring.slots() {
            keeper.start_node(slot.name.clone(), slot.node.clone());
            let (watching, name, drain) = (keeper.clone(), slot.name.clone(), tasks.drain().clone());
            tasks.spawn("slot", OnEnd::Stop, async move {
                tokio::select! {
                    () = drain.cancelled() => {}
                    () = watching.keep(name) => {}
                }
            });
        }
        keeper
    }

    /// What serves a slot now.
    #[must_use]
    pub fn running(&self, slot: &SlotName) -> Option<Arc<S>> {
        self.lock().get(slot).cloned()
    }

    /// Kills the node of a slot, like a process that dies. It is replaced. For tests and operators.
    pub fn kill(&self, slot: &SlotName) {
        if let Some(running) = self.running(slot) {
            running.kill();
        }
    }

    /// Cuts the node of a slot off: it goes on, but nobody can call it. It misses its checks and is replaced. For
    /// tests.
    pub fn cut_off(&self, slot: &SlotName) {
        if let Some(running) = self.running(slot) {
            running.cut_off();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SlotName, Arc<S>>> {
        // Each change is complete in itself.
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_node(&self, slot: SlotName, node: NodeId) {
        let serving = self.0.starts.start(slot.clone(), node);
        self.lock().insert(slot, Arc::new(serving));
    }

    /// Keeps a slot served, for ever.
    async fn keep(&self, slot: SlotName) {
        while let Some(running) = self.running(&slot) {
            let started = Instant::now();
            tokio::select! {
                () = running.ended().cancelled() => {}
                () = self.checks_missed(&running) => {
                    warn!(%slot, node = %running.node(), "slot does not answer");
                }
            }
            running.kill();
            let old = running.node().clone();
            self.0.control.lost(&old);
            if started.elapsed() < self.0.config.restart_pause {
                tokio::time::sleep(self.0.config.restart_pause).await;
            }
            let node = NodeId { incarnation: old.incarnation + 1, ..old.clone() };
            info!(%slot, %node, "slot gets a new node");
            // In the directory before in the ring: whoever sees the ring finds the node.
            self.start_node(slot.clone(), node.clone());
            if let Err(error) = self.0.control.offered(node) {
                warn!(%slot, %error, "slot is served by somebody else");
            }
            self.0.starts.forget(&old);
        }
    }

    /// Returns when the slot has missed too many checks in a row.
    async fn checks_missed(&self, running: &S) {
        let KeeperConfig { check_every, checks_missed_max, .. } = self.0.config;
        let mut missed = 0;
        while missed < checks_missed_max {
            tokio::time::sleep(check_every).await;
            let epoch = self.0.control.ring().borrow().epoch();
            missed = if running.answers(epoch, check_every).await { 0 } else { missed + 1 };
        }
    }
}
