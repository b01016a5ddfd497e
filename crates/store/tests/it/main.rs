//! The conformance suite of the store: every engine passes the same tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod channels;
mod engine;
mod files;
mod full_disk;
mod jobs;
mod log;
mod membership;
mod messages;
mod people;
mod property;
mod rights;
mod threads;
mod transfer;
mod world;
