//! Tests of the channel role: a topic by tables and properties, a host and a link with made-up
//! neighbours, and the whole way from `admin` to the gateways while slots die.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod chaos;
mod fakes;
mod gateway;
mod host;
mod link;
mod slots;
mod topic;
mod topic_props;
mod world;
