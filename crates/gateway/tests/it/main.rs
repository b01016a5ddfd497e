//! The gateway on real sockets, with its ports faked in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod autobahn;
mod failures;
mod own;
mod presence;
mod rtm;
mod world;
