//! Who owns what: the ring of slots, its epochs, and the replacement of the nodes behind them.
//!
//! [`ring`] says who owns a topic, [`document`] is its stored form, [`control`] decides who serves a slot,
//! [`shell`] runs that decision in a process and publishes each new ring to a [`RingWatch`], and [`keeper`] starts the
//! nodes of a process, and others when they die.

pub mod control;
pub mod document;
pub mod keeper;
pub mod ring;
pub mod shell;

pub use control::{Control, ControlConfig, ControlError};
pub use document::{Document, DocumentError};
pub use keeper::{Keeper, KeeperConfig, Serving, Starts};
pub use ring::{Ring, RingError, Slot};
pub use shell::ControlHandle;

/// A view of the ring that follows its changes.
pub type RingWatch = tokio::sync::watch::Receiver<std::sync::Arc<Ring>>;
