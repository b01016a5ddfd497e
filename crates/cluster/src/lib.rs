//! Who owns what: the ring of slots, its epochs, and the replacement of the nodes behind them.

pub mod ring;

pub use ring::{Ring, RingError, Slot};

/// A view of the ring that follows its changes.
pub type RingWatch = tokio::sync::watch::Receiver<std::sync::Arc<Ring>>;
