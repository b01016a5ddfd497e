//! Tests of the ring, its document, and control.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

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
