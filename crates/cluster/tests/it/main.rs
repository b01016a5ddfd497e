//! Tests of the ring, its document, and control.

mod control;
mod document;
mod ring;
mod shell;

use model::{NodeId, SlotName};

/// A node.
fn node(name: &str, incarnation: u64) -> NodeId {
    NodeId { name: name.to_owned(), incarnation }
}

/// A slot's name.
fn slot(name: &str) -> SlotName {
    SlotName(name.to_owned())
}
