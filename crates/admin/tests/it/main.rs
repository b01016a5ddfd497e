//! Tests of the admin role with made-up Channel Servers and gateways. The time is tokio's paused one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

mod fakes;
mod publish;
mod rest;
