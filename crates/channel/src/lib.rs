//! Role channel: live topics in memory, order, recent history, one copy per gateway.
//!
//! Reading order: [`host`] takes calls, [`topic`] decides, [`link`] hands on to a gateway; `repair` asks
//! `web` for what is missing. [`role`] runs a slot, [`slots`] all slots of a process.

pub mod host;
mod journal;
pub mod link;
pub mod metrics;
mod registry;
mod repair;
pub mod role;
pub mod slots;
pub mod topic;
mod topics;
