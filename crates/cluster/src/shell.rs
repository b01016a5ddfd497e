//! Runs [`Control`] in a process: gives it the time and publishes each ring that it decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Epoch, NodeId, SlotName};
use runtime::{OnEnd, Tasks};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tracing::info;

use crate::{
    RingWatch,
    control::{Control, ControlConfig, ControlError},
    document::Document,
    ring::{Ring, RingError, Slot},
};

/// Slots of a process that runs every role, unless configured otherwise.
pub const SLOTS_DEFAULT: u32 = 8;

/// The control role of this process. Cheap to clone; every clone is the same one.
#[derive(Debug, Clone)]
pub struct ControlHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    control: Mutex<Control>,
    started: Instant,
    ring: watch::Sender<Arc<Ring>>,
    changed: Notify,
}

/// The first document of one process: slots `slot-00`, `slot-01`, …, each served by a node of its own,
/// `channel-00#incarnation`, … if `role` is `channel`; epoch 1.
///
/// # Errors
/// [`RingError::Empty`].
pub fn first_document(role: &str, slots: u32, incarnation: u64) -> Result<Document, RingError> {
    let slot = |index: u32| Slot {
        name: SlotName(format!("slot-{index:02}")),
        node: NodeId { name: format!("{role}-{index:02}"), incarnation },
    };
    Ok(Document { ring: Ring::new(Epoch(1), (0..slots).map(slot).collect())?, spares: Vec::new() })
}

impl ControlHandle {
    /// Starts control with a document. Its task ends with the drain.
    #[must_use]
    pub fn start(config: ControlConfig, document: Document, tasks: &Tasks) -> Self {
        let control = Control::new(config, document);
        let ring = watch::Sender::new(Arc::clone(control.ring()));
        let control = Mutex::new(control);
        let handle =
            Self(Arc::new(Shared { control, started: Instant::now(), ring, changed: Notify::new() }));
        let (ticking, drain) = (handle.clone(), tasks.drain().clone());
        tasks.spawn("control", OnEnd::Stop, async move {
            tokio::select! {
                () = drain.cancelled() => {}
                () = ticking.tick_forever() => {}
            }
        });
        handle
    }

    /// Follows the ring.
    #[must_use]
    pub fn ring(&self) -> RingWatch {
        self.0.ring.subscribe()
    }

    /// What to store.
    #[must_use]
    pub fn document(&self) -> Document {
        self.lock().document()
    }

    /// See [`Control::offered`]. A node must be in the directory of its role before it offers itself.
    ///
    /// # Errors
    /// [`ControlError::Stale`].
    pub fn offered(&self, node: NodeId) -> Result<Option<SlotName>, ControlError> {
        self.decide(|control, now| control.offered(node, now))
    }

    /// See [`Control::lost`].
    pub fn lost(&self, node: &NodeId) {
        self.decide(|control, now| control.lost(node, now));
    }

    /// See [`Control::remove`].
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn remove(&self, slot: &SlotName) -> Result<NodeId, ControlError> {
        self.decide(|control, now| control.remove(slot, now))
    }

    /// See [`Control::drained`].
    pub fn drained(&self, node: &NodeId) {
        self.decide(|control, _| control.drained(node));
    }

    /// See [`Control::replace`].
    ///
    /// # Errors
    /// [`ControlError::Ring`].
    pub fn replace(&self, slot: &SlotName, node: NodeId) -> Result<(), ControlError> {
        self.decide(|control, _| control.replace(slot, node))
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        // Control changes its state by single assignments, so a panic leaves it usable.
        self.0.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets control decide and publishes the ring if that changed it.
    fn decide<T>(&self, decision: impl FnOnce(&mut Control, std::time::Duration) -> T) -> T {
        let mut control = self.lock();
        let answer = decision(&mut control, self.0.started.elapsed());
        // Under the lock, so that rings are published in the order of their epochs.
        self.0.ring.send_if_modified(|ring| {
            let modified = ring.epoch() != control.ring().epoch();
            if modified {
                info!(epoch = control.ring().epoch().0, "ring changed");
                *ring = Arc::clone(control.ring());
            }
            modified
        });
        drop(control);
        self.0.changed.notify_one();
        answer
    }

    async fn tick_forever(&self) {
        loop {
            let next = self.lock().next_tick();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(self.0.started + at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.decide(Control::tick),
                () = self.0.changed.notified() => {}
            }
        }
    }
}
