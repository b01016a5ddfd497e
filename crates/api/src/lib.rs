//! Role `web`: the HTTP API, auth and rights, the write path, the internal reads.
//!
//! The way of a message: `methods/chat_post_message.rs` → [`send`] → [`appender`].

pub mod appender;
pub mod publish;
pub mod record;
