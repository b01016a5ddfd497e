//! Role presence: who is active on any device, told to the gateways that watch.
//!
//! Everything here is memory: gateways tell it, tell it again from time to time, and tell it anew to a server
//! that takes another's place. Reading order: [`state`] is what one server knows, without clock, task or socket;
//! [`host`] runs it behind the port; [`role`] starts and stops one, [`slots`] those of a process; [`router`] finds
//! the owner of each person for who asks.

pub mod host;
pub mod metrics;
pub mod role;
pub mod router;
pub mod slots;
pub mod state;
