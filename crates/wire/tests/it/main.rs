//! Every object and event as it goes out, byte for byte, and its types against Slack's samples.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod cases;
mod samples;
mod snapshots;
