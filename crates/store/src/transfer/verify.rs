//! Compares two sides, table by table and topic by topic.
//!
//! Both sides are read in the order of workspace and topic, each group is hashed as it passes, and the two
//! streams of groups are merged: memory does not grow with the number of topics.

use std::pin::Pin;

use futures_util::TryStreamExt;
use model::{TopicId, WorkspaceId};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_postgres::{Transaction, binary_copy::BinaryCopyOutStream};

use super::{
    Difference, Meter, Progress, Stage, TransferError, Verified,
    cells::Cell,
    database,
    digest::{Group, Groups, Key},
    ended,
    file::{self, File},
    table::{MESSAGES, TOPICS, Table},
};

/// Differences that are named.
const SHOWN_MAX: usize = 10;
/// Groups that a reader of a file may be ahead. It waits when the queue is full.
const AHEAD: usize = 256;
/// Rows between two reports.
const TELL_ROWS: u64 = 8_192;

/// One side.
#[derive(Clone, Copy)]
pub(super) enum Side<'t> {
    /// A file.
    File(&'t File),
    /// A database, in one transaction.
    Database(&'t Transaction<'t>),
}

/// Compares every row of `tables`; `rows` is how many there are, for the progress.
pub(super) async fn verify(
    tables: &[Table],
    source: Side<'_>,
    copy: Side<'_>,
    rows: u64,
    progress: Progress<'_>,
) -> Result<Verified, TransferError> {
    let mut meter = Meter { stage: Stage::Verifying, done: 0, all: rows, progress };
    let mut verified = Verified::default();
    let mut differences = Differences::default();
    for table in tables {
        let rows = compare(table, source, copy, &mut meter, &mut differences).await?;
        verified.rows += rows;
        match table.name.as_str() {
            TOPICS => verified.topics = rows,
            MESSAGES => verified.messages = rows,
            _ => {}
        }
    }
    if differences.shown.is_empty() {
        Ok(verified)
    } else {
        Err(TransferError::Differs { shown: differences.shown, more: differences.more })
    }
}

#[derive(Default)]
struct Differences {
    shown: Vec<Difference>,
    more: u64,
}

impl Differences {
    fn add(&mut self, table: &Table, key: Key, source_rows: u64, copy_rows: u64) {
        if self.shown.len() >= SHOWN_MAX {
            self.more += 1;
            return;
        }
        let [workspace, topic] = key.map(|id| u64::try_from(id).unwrap_or_default());
        self.shown.push(Difference {
            table: table.name.clone(),
            workspace: (!table.groups.is_empty()).then(|| WorkspaceId::from_raw(workspace)),
            topic: if table.groups.len() > 1 { TopicId::from_raw(topic) } else { None },
            source_rows,
            copy_rows,
        });
    }
}

/// Merges the groups of both sides. Returns the rows of the source.
async fn compare(
    table: &Table,
    source: Side<'_>,
    copy: Side<'_>,
    meter: &mut Meter<'_>,
    differences: &mut Differences,
) -> Result<u64, TransferError> {
    let mut left = Reader::start(table, source).await?;
    let mut right = Reader::start(table, copy).await?;
    let (mut ours, mut theirs) = (left.next().await?, right.next().await?);
    let (mut rows, mut untold) = (0, 0);
    loop {
        let missing = |ours: &Group| theirs.is_none_or(|theirs| ours.key < theirs.key);
        let surplus = |theirs: &Group| ours.is_none_or(|ours| theirs.key < ours.key);
        if let Some(group) = ours.filter(missing) {
            differences.add(table, group.key, group.rows, 0);
            rows += group.rows;
            untold += group.rows;
            ours = left.next().await?;
        } else if let Some(group) = theirs.filter(surplus) {
            differences.add(table, group.key, 0, group.rows);
            theirs = right.next().await?;
        } else if let (Some(one), Some(other)) = (ours, theirs) {
            if one != other {
                differences.add(table, one.key, one.rows, other.rows);
            }
            rows += one.rows;
            untold += one.rows;
            (ours, theirs) = (left.next().await?, right.next().await?);
        } else {
            break;
        }
        if untold >= TELL_ROWS {
            meter.add(&table.name, untold)?;
            untold = 0;
        }
    }
    meter.add(&table.name, untold)?;
    Ok(rows)
}

/// The groups of one side, in order.
enum Reader<'t> {
    File { groups: mpsc::Receiver<Group>, task: Option<JoinHandle<Result<(), TransferError>>> },
    Database { table: &'t Table, rows: Option<Pin<Box<BinaryCopyOutStream>>>, groups: Groups, bytes: Vec<u8> },
}

impl<'t> Reader<'t> {
    async fn start(table: &'t Table, side: Side<'_>) -> Result<Self, TransferError> {
        match side {
            Side::File(file) => {
                let (sender, groups) = mpsc::channel(AHEAD);
                let (file, table) = (file.clone(), table.clone());
                let task = tokio::task::spawn_blocking(move || {
                    file.groups(&table, |group| sender.blocking_send(group).is_ok())
                });
                Ok(Self::File { groups, task: Some(task) })
            }
            Side::Database(transaction) => {
                let rows = database::rows(transaction, table, &table.copy_out_grouped()).await?;
                Ok(Self::Database {
                    table,
                    rows: Some(Box::pin(rows)),
                    groups: Groups::default(),
                    bytes: Vec::new(),
                })
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Group>, TransferError> {
        match self {
            Self::File { groups, task } => match (groups.recv().await, &mut *task) {
                (Some(group), _) => Ok(Some(group)),
                (None, Some(reading)) => {
                    let result = reading.await.map_err(|error| ended(&error))?;
                    *task = None;
                    result.map(|()| None)
                }
                (None, None) => Ok(None),
            },
            Self::Database { table, rows, groups, bytes } => {
                while let Some(stream) = rows {
                    let Some(row) = stream.try_next().await.map_err(|error| database::failed(&error))? else {
                        *rows = None; // It would call a further question a lost connection.
                        break;
                    };
                    bytes.clear();
                    let cell = |place| row.try_get::<Cell<'_>>(place).map_err(|error| error.to_string());
                    let key = file::encode(table, cell, bytes)
                        .map_err(|reason| TransferError::Value { table: table.name.clone(), reason })?;
                    if let Some(group) = groups.add(key, bytes) {
                        return Ok(Some(group));
                    }
                }
                Ok(groups.end())
            }
        }
    }
}
