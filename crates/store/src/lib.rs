//! The durable store: what was acknowledged, for ever. It publishes nothing and knows no other role.
//!
//! Two halves. [`Log`] is the write side: one per shard and process, fed batches by the appender; it
//! decides each item in order and commits. [`Store`] is the read side: every method is one read
//! transaction. `append` decides, `sql` speaks to the engine, one file per aggregate holds its rows.

mod append;
mod codec;
mod data_dir;
pub mod error;
mod heads;
mod migrations;
pub mod postgres;
mod query;
pub mod read;
mod rows;
pub mod sqlite;
pub mod transfer;
mod tx;
pub mod write;

pub use data_dir::DataDir;
pub use error::{CommitError, OpenError, Refusal, StoreError};
pub use read::*;
pub use write::*;
