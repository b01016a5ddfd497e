//! The conformance suite of the store: every engine passes the same tests.

mod accounts;
mod engine;
mod log;
mod membership;
mod messages;
mod property;
mod world;
