//! Tests of the role `web` in process, over the embedded store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod accounts;
mod answers;
mod appender;
mod channels;
mod checks;
mod codes;
mod content;
mod conversations;
mod files;
mod forms;
mod fuzzed;
mod internal;
mod later;
mod listener;
mod messages;
mod people;
mod photos;
mod presence;
mod property;
mod rates;
mod rights;
mod table;
mod threads;
mod world;
