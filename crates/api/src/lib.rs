//! Role `web`: the HTTP API, auth and rights, the write path, the internal reads.
//!
//! The way of a message: `methods/chat_post_message.rs` → [`send`] → [`appender`] → [`record`] →
//! [`publish`]. The way of a
//! request before that: [`router`] → [`call`] ([`args`], [`auth`], limits) → [`methods`]. Other roles
//! come in through [`internal`]; [`role`] says what the role needs. Files come in through [`uploads`] and go out through
//! [`downloads`]; their bytes are in [`blobs`].

pub mod accounts;
pub mod app;
pub mod appender;
pub mod args;
pub mod auth;
pub mod blobs;
pub mod call;
pub mod channels;
pub mod content;
pub mod cursor;
pub mod downloads;
pub mod errors;
pub mod file_kind;
pub mod files;
pub mod health;
pub mod internal;
pub mod limits;
pub mod marks;
pub mod mentions;
pub mod methods;
pub mod metrics;
pub mod origins;
pub mod passwords;
pub mod photos;
pub mod preferences;
pub mod publish;
pub mod random;
pub mod rates;
pub mod record;
pub mod reply;
pub mod role;
pub mod router;
pub mod scopes;
pub mod send;
pub mod shares;
pub mod sockets;
pub mod tickets;
pub mod tokens;
pub mod uploads;
