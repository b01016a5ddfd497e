//! The conformance suite of the store: every engine passes the same tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod engine;
mod log;
mod membership;
mod messages;
mod property;
mod transfer;
mod world;
