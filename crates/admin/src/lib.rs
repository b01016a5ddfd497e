//! Role admin: topic to owner, batch, forward, retry.
//!
//! Reading order: [`role`] answers calls, [`publish`] queues committed events per slot, `forward` makes
//! one call to the owner of some topics, `revoke` asks every gateway.

mod forward;
mod journal;
pub mod metrics;
pub mod publish;
mod revoke;
pub mod role;

pub use role::{Config, Deps, start};
