//! Tests only: starts the real binary, talks to it as its clients do, and decides from what they
//! saw whether the promises held.
//!
//! Everything here is black box: the binary, its command line, HTTP and WebSockets. Nothing of the
//! server's crates is linked, so that a test cannot know more than a client does.
//!
//! | module | what |
//! |---|---|
//! | [`sandbox`] | a temporary directory with a seeded workspace, and the process that serves it |
//! | [`http`] | the Web API, and raw HTTP for what no decent client would send |
//! | [`snapshot`] | reads a whole channel, whoever carries the calls |
//! | [`socket`] | WebSocket clients: our realtime protocol and Slack's RTM |
//! | [`listener`] | a device that listens, resumes, and records what it sees |
//! | [`view`] | the messages of a channel as a client has them |
//! | [`history`] | the checker: what was asked, what was seen, what is there at the end |
//! | [`skip`] | a test that needs a peer or a right that this machine lacks says so loudly |
//! | [`postgres`] | private PostgreSQL clusters, a standby, PgBouncer |
//! | [`proxy`] | cuts and freezes the connections between the server and PostgreSQL |
//! | [`strace`] | watches system calls, makes them fail or slow |
//! | [`unsynced`] | what a loss of power leaves of a file |
//! | [`wal`] | whether a killed process left a commit half written |

// A test helper indexes JSON values, which answer null and do not panic.
#![allow(clippy::indexing_slicing)]

pub mod history;
pub mod http;
pub mod listener;
pub mod postgres;
pub mod proxy;
pub mod record;
pub mod sandbox;
pub mod snapshot;
pub mod socket;
pub mod strace;
pub mod unsynced;
pub mod view;
pub mod wal;

/// Says that a test cannot run here and why, past the capture of the test runner: `cargo xtask test`
/// counts these lines. In CI (`CI` is set) it is a failure.
///
/// # Panics
/// In CI.
pub fn skip(test: &str, why: &str) {
    use std::io::Write as _;
    assert!(std::env::var_os("CI").is_none_or(|value| value.is_empty()), "{test} cannot run: {why}");
    // Without a stderr nobody listens.
    writeln!(std::io::stderr(), "skipped: {test}: {why}").ok();
}
