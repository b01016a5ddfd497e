//! The ring document: consistent hashing of topics onto named slots.
//!
//! A slot keeps its name, and so its topics, when the node behind it is replaced (Slack's model): only
//! that slot's topics move, and they move together. Epochs order the documents.

use model::{Epoch, NodeId, SlotName, Topic};
use xxhash_rust::xxh3::xxh3_64;

/// Points of each slot on the ring: enough for a spread within about ±10 % at eight slots.
const POINTS_PER_SLOT: u32 = 256;
/// Name of the hash and point scheme. Rings of other schemes are refused: owners would differ.
pub const HASH_SCHEME: &str = "xxh3-64/256 v1";

/// A named place on the ring and the node that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub name: SlotName,
    /// Who serves it.
    pub node: NodeId,
}

/// One version of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    epoch: Epoch,
    slots: Vec<Slot>,
    /// Hash and index into `slots`, sorted by hash.
    points: Vec<(u64, usize)>,
}

/// Why a ring cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// A ring needs a slot.
    #[error("a ring needs at least one slot")]
    Empty,
    /// Two slots have the same name.
    #[error("two slots are named {0}")]
    Twice(SlotName),
    /// One node is behind two slots: its loss would then be the loss of both.
    #[error("node {0} serves two slots")]
    Shared(NodeId),
    /// There is no such slot.
    #[error("there is no slot {0}")]
    Unknown(SlotName),
}

impl Ring {
    /// Makes a ring.
    ///
    /// # Errors
    /// [`RingError::Empty`], [`RingError::Twice`], [`RingError::Shared`].
    pub fn new(epoch: Epoch, mut slots: Vec<Slot>) -> Result<Self, RingError> {
        slots.sort_by(|a, b| a.name.cmp(&b.name));
        if slots.is_empty() {
            return Err(RingError::Empty);
        }
        if let Some((slot, _)) = slots.iter().zip(slots.iter().skip(1)).find(|(a, b)| a.name == b.name) {
            return Err(RingError::Twice(slot.name.clone()));
        }
        let mut nodes: Vec<&NodeId> = slots.iter().map(|slot| &slot.node).collect();
        nodes.sort_unstable();
        if let Some((node, _)) = nodes.iter().zip(nodes.iter().skip(1)).find(|(a, b)| a == b) {
            return Err(RingError::Shared((*node).clone()));
        }
        let mut points: Vec<(u64, usize)> = slots
            .iter()
            .enumerate()
            .flat_map(|(index, slot)| {
                (0..POINTS_PER_SLOT)
                    .map(move |point| (xxh3_64(format!("{}#{point}", slot.name).as_bytes()), index))
            })
            .collect();
        points.sort_unstable();
        Ok(Self { epoch, slots, points })
    }

    /// The document's version.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// All slots, by name.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The slot that owns a topic: the first point at or after the topic's hash.
    #[must_use]
    pub fn owner(&self, topic: Topic) -> &Slot {
        let mut key = [0; 16];
        let (workspace, id) = key.split_at_mut(8);
        workspace.copy_from_slice(&topic.workspace.raw().to_le_bytes());
        id.copy_from_slice(&topic.id.raw().to_le_bytes());
        let hash = xxh3_64(&key);
        let at = self.points.partition_point(|&(point, _)| point < hash);
        let point = self.points.get(at).or_else(|| self.points.first());
        let slot = point.and_then(|&(_, index)| self.slots.get(index)).or_else(|| self.slots.first());
        #[expect(clippy::expect_used, reason = "a ring has at least one slot by construction")]
        slot.expect("a ring has a slot")
    }

    /// The slot that a node serves.
    #[must_use]
    pub fn served_by(&self, node: &NodeId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.node == *node)
    }

    /// The slot of a name.
    #[must_use]
    pub fn slot(&self, name: &SlotName) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == *name)
    }

    /// The next version, with another node behind a slot.
    ///
    /// # Errors
    /// [`RingError::Unknown`], [`RingError::Shared`].
    pub fn replaced(&self, name: &SlotName, node: NodeId) -> Result<Self, RingError> {
        if self.slots.iter().any(|slot| slot.node == node) {
            return Err(RingError::Shared(node));
        }
        let mut next = self.clone();
        let slot = next.slots.iter_mut().find(|slot| slot.name == *name);
        slot.ok_or_else(|| RingError::Unknown(name.clone()))?.node = node;
        next.epoch = Epoch(self.epoch.0 + 1);
        Ok(next)
    }
}
