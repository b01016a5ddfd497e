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
//! | [`realtime`] | a client of `/realtime/v1` that resumes |
//! | [`rtm`] | a client of Slack's RTM |
//! | [`view`] | the messages of a channel as a client has them |
//! | [`history`] | the checker: what was asked, what was seen, what is there at the end |
//! | [`wal`] | whether a killed process left a commit half written |



pub mod view;
pub mod wal;
