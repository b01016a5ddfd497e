//! The reads, one file per aggregate, for any engine: each function runs inside one read transaction.

pub(crate) mod accounts;
pub(crate) mod channels;
pub(crate) mod events;
pub(crate) mod messages;
