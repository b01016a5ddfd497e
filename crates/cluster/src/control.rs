//! Decides which node serves which slot. A plain struct: the time is an argument.
//!
//! A node that is lost may only be restarting: for a grace period its slot waits for the same name to
//! come back with a newer incarnation. After that a spare takes the slot, or the next node that offers
//! itself. A planned removal drains first: the slot changes hands when the node has said that it is done.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use model::{NodeId, SlotName};

use crate::{
    document::Document,
    ring::{Ring, RingError},
};

/// How patient control is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlConfig {
    /// How long a lost node may take to come back before a spare takes its slot. Default 10 s.
    pub grace: Duration,
    /// How long a planned removal may drain before the slot is moved anyway. Default 30 s.
    pub drain_max: Duration,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10), drain_max: Duration::from_secs(30) }
    }
}

/// Who serves which slot, who waits, and who is missing. Moments are durations since any fixed start.
#[derive(Debug)]
pub struct Control {
    config: ControlConfig,
    ring: Arc<Ring>,
    /// Slots whose node does not serve as it should; all others do.
    troubled: BTreeMap<SlotName, Trouble>,
    spares: VecDeque<NodeId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The node has not been there since.
    Lost { since: Duration },
    /// The node is being removed as planned.
    Draining { since: Duration },
}

/// Why a wish is not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The ring refuses it.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A newer start of that node is known.
    #[error("node {0} was started again since")]
    Stale(NodeId),
    /// Nobody could take the slot over.
    #[error("no spare can take slot {0}")]
    NoSpare(SlotName),
}

impl Control {
    /// Starts from a stored or a first document.
    #[must_use]
    pub fn new(config: ControlConfig, document: Document) -> Self {
        let Document { ring, spares } = document;
        Self { config, ring: Arc::new(ring), troubled: BTreeMap::new(), spares: spares.into() }
    }

    /// The ring as decided so far.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// What to store.
    #[must_use]
    pub fn document(&self) -> Document {
        Document { ring: (*self.ring).clone(), spares: self.spares.iter().cloned().collect() }
    }

    /// A node is up and offers itself: a restarted one gets its slot back, another one takes a slot whose
    /// node stayed away too long, or becomes a spare. Returns the slot that it serves now.
    ///
    /// # Errors
    /// [`ControlError::Stale`].
    pub fn offered(&mut self, node: NodeId, now: Duration) -> Result<Option<SlotName>, ControlError> {
        if let Some(slot) = self.ring.slots().iter().find(|slot| slot.node.name == node.name) {
            let name = slot.name.clone();
            if node.incarnation < slot.node.incarnation {
                return Err(ControlError::Stale(node));
            }
            if node.incarnation > slot.node.incarnation {
                self.serve(&name, node)?;
            } else if matches!(self.troubled.get(&name), Some(Trouble::Lost { .. })) {
                self.troubled.remove(&name);
            }
            return Ok(Some(name));
        }
        if self.spares.iter().any(|spare| spare.name == node.name && spare.incarnation > node.incarnation) {
            return Err(ControlError::Stale(node));
        }
        self.spares.retain(|spare| spare.name != node.name);
        self.spares.push_back(node.clone());
        self.tick(now);
        Ok(self.ring.served_by(&node).map(|slot| slot.name.clone()))
    }

    /// A node is not there any more, or does not answer. Its slot waits for it.
    pub fn lost(&mut self, node: &NodeId, now: Duration) {
        self.spares.retain(|spare| spare != node);
        if let Some(slot) = self.ring.served_by(node) {
            let name = slot.name.clone();
            // A drain that ends in a loss is over: nobody is left to wait for.
            match self.troubled.get(&name) {
                Some(Trouble::Lost { .. }) => {}
                Some(Trouble::Draining { .. }) => self.hand_over(&name),
                None => {
                    self.troubled.insert(name, Trouble::Lost { since: now });
                }
            }
        }
        self.tick(now);
    }

    /// Plans the removal of a slot's node: it should drain and then be reported as [drained](Self::drained).
    /// Returns the node.
    ///
    /// # Errors
    /// [`ControlError::Ring`] for an unknown slot, [`ControlError::NoSpare`].
    pub fn remove(&mut self, name: &SlotName, now: Duration) -> Result<NodeId, ControlError> {
        let slot = self.ring.slot(name).ok_or_else(|| RingError::Unknown(name.clone()))?;
        if self.spares.is_empty() {
            return Err(ControlError::NoSpare(name.clone()));
        }
        let node = slot.node.clone();
        self.troubled.entry(name.clone()).or_insert(Trouble::Draining { since: now });
        Ok(node)
    }

    /// A node whose removal was planned has given everything away: a spare takes its slot.
    pub fn drained(&mut self, node: &NodeId) {
        if let Some(slot) = self.ring.served_by(node) {
            let name = slot.name.clone();
            if matches!(self.troubled.get(&name), Some(Trouble::Draining { .. })) {
                self.hand_over(&name);
            }
        }
    }

    /// Puts a node behind a slot at once, whatever was there.
    ///
    /// # Errors
    /// [`ControlError::Ring`].
    pub fn replace(&mut self, name: &SlotName, node: NodeId) -> Result<(), ControlError> {
        self.serve(name, node)
    }

    /// Carries out what waiting has decided.
    pub fn tick(&mut self, now: Duration) {
        let due: Vec<SlotName> = self
            .troubled
            .iter()
            .filter(|(_, trouble)| self.due(**trouble) <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.hand_over(&name);
        }
    }

    /// When [`Control::tick`] has something to decide next; `None`: not until something else happens.
    #[must_use]
    pub fn next_tick(&self) -> Option<Duration> {
        if self.spares.is_empty() {
            return None;
        }
        self.troubled.values().map(|trouble| self.due(*trouble)).min()
    }

    fn due(&self, trouble: Trouble) -> Duration {
        match trouble {
            Trouble::Lost { since } => since.saturating_add(self.config.grace),
            Trouble::Draining { since } => since.saturating_add(self.config.drain_max),
        }
    }

    /// Gives a slot to the first spare. Without one the slot keeps its node and its trouble.
    fn hand_over(&mut self, name: &SlotName) {
        if let Some(spare) = self.spares.front().cloned() {
            // Refused only for a slot that is not there; then there is nothing to hand over.
            let _unknown = self.serve(name, spare);
        }
    }

    fn serve(&mut self, name: &SlotName, node: NodeId) -> Result<(), ControlError> {
        self.ring = Arc::new(self.ring.replaced(name, node.clone())?);
        self.troubled.remove(name);
        self.spares.retain(|spare| *spare != node);
        Ok(())
    }
}
