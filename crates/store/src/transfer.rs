//! Copies a whole store: between a SQLite file and PostgreSQL in either direction, or to another file.
//!
//! One mechanism serves moving an embedded installation to PostgreSQL ([`migrate`]), backing a database up
//! into a portable file ([`backup`]) and putting such a file back ([`restore`]). Tables are found in the
//! file's own schema, so that a migration needs nothing here. Every copy ends with a comparison of both sides
//! by hash (`verify`) before anybody may write to it. Memory is bounded whatever the size. Some of the work
//! blocks its thread: these are for commands of their own, not for a running server.
//!
//! What is not copied as it is:
//! - `placements` say where a workspace takes writes, which is what a copy changes. They are written first,
//!   in a state that refuses writes, and set at the very end.
//! - `commits` is the log of the sweep, numbered by its engine; what it announces is over by then.
//! - `tickets` live for half a minute.

mod backup;
mod cells;
mod database;
mod digest;
mod file;
mod migrate;
mod plan;
mod restore;
mod table;
mod verify;

use std::ops::ControlFlow;

use model::{TopicId, WorkspaceId};

pub use backup::backup;
pub use migrate::{Migrated, migrate};
pub use restore::{InPlace, Restored, raise_generations, restore};

use crate::OpenError;

/// What a copy is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A file is copied page by page: the numbers are pages.
    CopyingPages,
    /// Rows are written.
    Copying,
    /// Both sides are read and compared.
    Verifying,
}

/// How far a copy is. The first step of a stage has what an earlier run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is doing.
    pub stage: Stage,
    /// The table at hand.
    pub table: String,
    /// Rows done.
    pub done: u64,
    /// Rows in all.
    pub all: u64,
}

/// Told after every few thousand rows; a break ends the copy with [`TransferError::Stopped`].
pub type Progress<'p> = &'p mut (dyn FnMut(Step) -> ControlFlow<()> + Send);

/// What was found to be the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Topics.
    pub topics: u64,
    /// Messages.
    pub messages: u64,
    /// Rows of all tables.
    pub rows: u64,
}

/// Rows that are not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of this table.
    pub table: String,
    /// Of this workspace, if the table has workspaces.
    pub workspace: Option<WorkspaceId>,
    /// Of this topic, if the table has topics.
    pub topic: Option<TopicId>,
    /// Rows in the source.
    pub source_rows: u64,
    /// Rows in the copy.
    pub copy_rows: u64,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.table)?;
        if let Some(workspace) = self.workspace {
            write!(f, " of {workspace}")?;
        }
        if let Some(topic) = self.topic {
            write!(f, ", {topic}")?;
        }
        match (self.source_rows, self.copy_rows) {
            (source, copy) if source == copy => write!(f, " ({source} rows, with another content)"),
            (source, copy) => write!(f, " ({source} rows in the source, {copy} in the copy)"),
        }
    }
}

/// A copy was not made, or not finished.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A side cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file, or SQLite on it, failed.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// PostgreSQL failed.
    #[error("the database: {0}")]
    Database(String),
    /// There is no embedded store in the directory.
    #[error("{path} holds no store (parlance.db)")]
    NoStore {
        /// The directory.
        path: String,
    },
    /// The directory that is to get a store has one.
    #[error(
        "{path} is there already; nothing is overwritten: name a directory without a store, or move the old one away"
    )]
    Occupied {
        /// What is there.
        path: String,
    },
    /// The file is not ours.
    #[error("{path} is not a copy of a Parlance store: {reason}")]
    Foreign {
        /// Which file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The file is ours, but broken.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// Which file.
        path: String,
        /// What SQLite's check found first.
        reason: String,
    },
    /// There is no workspace to move.
    #[error("{path} has no workspace yet: there is nothing to move")]
    Nothing {
        /// The source.
        path: String,
    },
    /// The database is in use for something else.
    #[error("the database holds data already ({found}); nothing is overwritten: name an empty database")]
    NotEmpty {
        /// What is there.
        found: String,
    },
    /// Another copy into the database was begun and not finished.
    #[error(
        "the database holds the unfinished copy of another store: finish that one by the command that began it, or name \
         an empty database"
    )]
    OtherCopy,
    /// The database is the target of a copy that was not finished.
    #[error("the database holds an unfinished copy: finish it first, by the command that began it")]
    Unfinished,
    /// The source was moved to another database, or is on its way there.
    #[error(
        "the workspaces of {path} were moved to another database: it is there that they live now. If that one is given \
         up, take them back: parlance restore --in-place --take-back --data {path}"
    )]
    MovedElsewhere {
        /// The source.
        path: String,
    },
    /// Every workspace of the backup had moved elsewhere when it was made.
    #[error(
        "the workspaces of the backup lived elsewhere when it was made; if they are to live here from now on, say so with \
         --take-back"
    )]
    Elsewhere,
    /// A value of the source that PostgreSQL has no form for.
    #[error("a row of {table} cannot be copied: {reason}")]
    Value {
        /// Which table.
        table: String,
        /// Which value.
        reason: String,
    },
    /// The two sides are not the same.
    #[error("the copy differs from its source in {}{}", list(.shown), others(*.more))]
    Differs {
        /// Some of the differences.
        shown: Vec<Difference>,
        /// How many there are beyond those.
        more: u64,
    },
    /// The source refuses writes already, and whether the target takes them is not known.
    #[error(
        "the switch was not finished ({reason}): run the same command again; until then perhaps neither the directory nor \
         the database takes writes"
    )]
    HalfSwitched {
        /// What went wrong.
        reason: String,
    },
    /// The caller asked for an end.
    #[error("stopped before the end")]
    Stopped,
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn others(more: u64) -> String {
    if more == 0 { String::new() } else { format!("; and {more} more") }
}

/// Counts rows and tells them.
struct Meter<'p> {
    stage: Stage,
    done: u64,
    all: u64,
    progress: Progress<'p>,
}

impl Meter<'_> {
    fn add(&mut self, table: &str, rows: u64) -> Result<(), TransferError> {
        self.done += rows;
        let step = Step { stage: self.stage, table: table.to_owned(), done: self.done, all: self.all };
        match (self.progress)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(TransferError::Stopped),
        }
    }
}

/// The blocking half of a copy ended without a result.
fn ended(error: &tokio::task::JoinError) -> TransferError {
    TransferError::Database(format!("the reading thread ended: {error}"))
}
