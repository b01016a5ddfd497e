//! The presence servers of one process: one for each slot, and another one when it dies.

use std::{sync::Arc, time::Duration};

use cluster::{ControlHandle, Keeper, KeeperConfig, Serving, Starts};
use model::{Epoch, NodeId, SlotName, TraceId};
use rpc::{Call, CallError, Directory, Local, Presence};
use runtime::Tasks;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::role::{self, Config, Deps, SlotHandle};

/// What the slots are started with, and how they are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotsConfig {
    /// What each slot is started with.
    pub slot: Config,
    /// How they are watched.
    pub keeper: KeeperConfig,
}

/// The slots of this process.
pub type Slots = Keeper<Running>;

/// A slot's host and the transport to it.
pub struct Running {
    handle: SlotHandle,
    port: Arc<Local<dyn Presence>>,
}

impl Serving for Running {
    fn node(&self) -> &NodeId {
        self.handle.node()
    }

    fn ended(&self) -> &CancellationToken {
        self.handle.ended()
    }

    fn kill(&self) {
        self.port.kill();
        self.handle.kill();
    }

    fn cut_off(&self) {
        self.port.kill();
    }

    async fn answers(&self, epoch: Epoch, within: Duration) -> bool {
        let call = Call { caller: self.node().clone(), epoch, trace: TraceId::default(), timeout: within };
        // To touch nobody changes nothing, and takes the way of every call.
        matches!(self.port.touch(&call, Vec::new()).await, Ok(_) | Err(CallError::Overloaded { .. }))
    }
}

struct Nodes {
    config: Config,
    directory: Arc<Directory<dyn Presence>>,
    deps: Deps,
    tasks: Tasks,
    runtime: Handle,
}

impl Starts<Running> for Nodes {
    fn start(&self, slot: SlotName, node: NodeId) -> Running {
        let handle = role::start(self.config, slot, node.clone(), self.deps.clone(), &self.tasks);
        let port = Local::new("presence", handle.port(), self.runtime.clone());
        self.directory.insert(node, Arc::clone(&port) as Arc<dyn Presence>);
        Running { handle, port }
    }

    fn forget(&self, node: &NodeId) {
        self.directory.remove(node);
    }
}

/// Starts a presence server for every slot of the ring, and keeps it served ([`Keeper::start`]). Must be called on the
/// runtime that the slots are to run on.
#[must_use]
pub fn start(
    config: SlotsConfig,
    control: ControlHandle,
    directory: Arc<Directory<dyn Presence>>,
    deps: Deps,
    tasks: &Tasks,
) -> Slots {
    let nodes =
        Nodes { config: config.slot, directory, deps, tasks: tasks.clone(), runtime: Handle::current() };
    Keeper::start(config.keeper, control, nodes, tasks)
}
