//! The durable store: what was acknowledged, for ever. It publishes nothing and knows no other role.
//!
//! Two halves. [`Log`] is the write side: one per shard and process, fed batches by the appender; it
//! decides each item in order and commits. [`Store`] is the read side: every method is one read
//! transaction. `append` decides, `query` reads, `sqlite` and `postgres` speak to the engines. [`Directory`] says
//! which of several shards holds a workspace, and [`ShardedStore`] reads them as one.

mod append;
mod codec;
mod commits;
mod data_dir;
mod directory;
pub mod error;
mod migrations;
pub mod postgres;
mod query;
pub mod read;
mod room;
mod rows;
mod sharded;
pub mod sqlite;
pub mod transfer;
mod tx;
pub mod write;

/// The kinds of jobs that writes queue.
pub mod job_kinds {
    pub use crate::append::{
        files::{DELETE_BYTES, EXPIRE_UPLOAD, MAKE_THUMBNAILS},
        people::{DELETE_PHOTO, EXPIRE_STATUS, delete_photo},
        scheduled::POST_SCHEDULED,
    };
}

pub use data_dir::DataDir;
pub use directory::{Directory, Placed, Shard};
pub use error::{Cause, CommitError, OpenError, Refusal, StoreError};
pub use read::*;
pub use sharded::ShardedStore;
pub use write::*;
