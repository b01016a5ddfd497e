//! Role gateway: the WebSockets, who follows what, and the fan-out.
//!
//! One single-threaded runtime per core owns its sockets; each is a gateway of its own towards the other
//! roles. Reading order: [`role`] starts the loops; [`codec`], [`frame`] and [`rtm`] are what goes over a
//! socket; [`topic`], [`session`] and [`outbox`] are the plain state; [`hub`] ties them together without a
//! clock, task or socket; `core` runs a hub on real sockets and ports.

pub mod arena;
pub mod codec;
mod core;
pub mod finder;
pub mod frame;
pub mod hub;
pub mod journey;
mod metrics;
pub mod outbox;
mod port;
pub mod presence;
mod presence_link;
pub mod role;
pub mod rtm;
pub mod session;
mod socket;
mod stream;
mod subscribe;
pub mod topic;

pub use role::{Config, Deps, Handle, start, start_here};
