//! The ring document as it is stored and shared: JSON, versioned by the name of its hash scheme.

use model::{Epoch, NodeId, SlotName};
use serde::{Deserialize, Serialize};

use crate::ring::{HASH_SCHEME, Ring, RingError, Slot};

/// The ring and the nodes that wait for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Who serves what.
    pub ring: Ring,
    /// Who takes over when a node is gone, in this order.
    pub spares: Vec<NodeId>,
}

/// Why a document is refused.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not the JSON that [`Document::to_json`] writes.
    #[error("the ring document cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Written for another hash: its owners would differ from ours.
    #[error("the ring document is hashed by {found:?}, this version by {HASH_SCHEME:?}")]
    Scheme {
        /// The scheme that it names.
        found: String,
    },
    /// Epoch 0 means "no ring seen yet"; no document has it.
    #[error("the ring document has no epoch")]
    Epoch,
    /// Its slots make no ring.
    #[error("the ring document makes no ring: {0}")]
    Ring(#[from] RingError),
    /// A spare serves a slot already, or is there twice.
    #[error("the ring document's spare {0} is named twice")]
    Spare(NodeId),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    scheme: String,
    epoch: u64,
    slots: Vec<SlotForm>,
    spares: Vec<NodeForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotForm {
    name: String,
    node: NodeForm,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeForm {
    name: String,
    incarnation: u64,
}

/// The only member that is read before the scheme is known.
#[derive(Deserialize)]
struct SchemeForm {
    scheme: String,
}

impl From<&NodeId> for NodeForm {
    fn from(node: &NodeId) -> Self {
        Self { name: node.name.clone(), incarnation: node.incarnation }
    }
}

impl From<NodeForm> for NodeId {
    fn from(form: NodeForm) -> Self {
        Self { name: form.name, incarnation: form.incarnation }
    }
}

impl Document {
    /// The text to store.
    ///
    /// # Errors
    /// [`DocumentError::Json`].
    pub fn to_json(&self) -> Result<String, DocumentError> {
        let slot = |slot: &Slot| SlotForm { name: slot.name.0.clone(), node: NodeForm::from(&slot.node) };
        Ok(serde_json::to_string(&Form {
            scheme: HASH_SCHEME.to_owned(),
            epoch: self.ring.epoch().0,
            slots: self.ring.slots().iter().map(slot).collect(),
            spares: self.spares.iter().map(NodeForm::from).collect(),
        })?)
    }

    /// Reads a stored document.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn from_json(text: &str) -> Result<Self, DocumentError> {
        let SchemeForm { scheme } = serde_json::from_str(text)?;
        if scheme != HASH_SCHEME {
            return Err(DocumentError::Scheme { found: scheme });
        }
        let form: Form = serde_json::from_str(text)?;
        if form.epoch == 0 {
            return Err(DocumentError::Epoch);
        }
        let slots =
            form.slots.into_iter().map(|slot| Slot { name: SlotName(slot.name), node: slot.node.into() });
        let ring = Ring::new(Epoch(form.epoch), slots.collect())?;
        let spares: Vec<NodeId> = form.spares.into_iter().map(NodeId::from).collect();
        for (index, spare) in spares.iter().enumerate() {
            if ring.served_by(spare).is_some() || spares.iter().take(index).any(|other| other == spare) {
                return Err(DocumentError::Spare(spare.clone()));
            }
        }
        Ok(Self { ring, spares })
    }
}
