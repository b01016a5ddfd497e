//! Hostile bytes at every decoder. See the crate's documentation.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod arguments;
mod credentials;
mod frames;
mod ids;
mod messages;
mod sockets;
mod transfer;
