//! Role `jobs`: what is done later, or by somebody else.
//!
//! A job is a row of the store, written in the transaction that wants it: it is durable before anybody hears of it.
//! A [`runner`] takes what is due under a lease, has its [`handlers`] do it, and tries again with a growing
//! [`pause`](attempt) what failed, until it gives up and leaves the job to an operator. A job may run twice (its
//! runner died, or was too slow for its lease), so each handler's effect is one write that has no effect the second
//! time.

pub mod attempt;
pub mod handlers;
pub mod metrics;
pub mod runner;

pub use handlers::{Files, Picture, WriteFailed, Writer};
pub use runner::{Config, Deps, run};
