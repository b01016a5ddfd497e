//! Backs a PostgreSQL store up into a file of our schema.

use std::path::Path;

use futures_util::TryStreamExt;
use tokio::sync::mpsc;
use tokio_postgres::{Transaction, binary_copy::BinaryCopyOutRow};

use super::{
    Meter, Progress, Stage, TransferError, Verified,
    database::{self, Database},
    ended,
    file::{self, File, NewFile},
    table::Table,
    verify::{Side, verify},
};
use crate::data_dir::{beside, finish};

/// Rows that are written to the file at once.
const BATCH_ROWS: usize = 2_048;
/// Batches that the database may be ahead. It waits when the queue is full.
const AHEAD: usize = 2;

/// Copies the database `url` to the new file `to`, as it is at one moment, while servers write to it, and
/// compares the two. The file is what the embedded store's backup is too. Call it inside a runtime.
///
/// # Errors
/// [`TransferError`]. There is no file `to` then.
pub async fn backup(url: &str, to: &Path, progress: Progress<'_>) -> Result<Verified, TransferError> {
    if to.exists() {
        return Err(TransferError::Occupied { path: to.display().to_string() });
    }
    let mut database = Database::connect(url).await?;
    let transaction = database.reading().await?;
    let version = database::version(&transaction).await?;
    if database::is_begun(&transaction).await? {
        return Err(TransferError::Unfinished);
    }
    let partial = beside(to, ".partial");
    if partial.exists() {
        std::fs::remove_file(&partial).map_err(|error| file::failed(&partial, &error))?;
    }
    let mut target = NewFile::create(&partial, version)?;
    let made = File::held(partial.clone());
    let tables = made.tables()?;
    let mut all = 0;
    for table in &tables {
        all += database::count(&transaction, table).await?;
    }
    let placements = made.placements_table()?;
    let mut meter = Meter { stage: Stage::Copying, done: 0, all, progress: &mut *progress };
    for table in &tables {
        target = copy(&transaction, table, target, Some(&mut meter)).await?;
    }
    drop(copy(&transaction, &placements, target, None).await?);
    let (source, copy) = (Side::Database(&transaction), Side::File(&made));
    let verified = verify(&tables, source, copy, all, progress).await?;
    transaction.commit().await.map_err(|error| database::failed(&error))?;
    database.close().await;
    finish(&partial, to).map_err(|error| file::failed(to, &error))?;
    Ok(verified)
}

/// Copies one table. A thread writes while the database sends.
async fn copy(
    transaction: &Transaction<'_>,
    table: &Table,
    mut target: NewFile,
    mut meter: Option<&mut Meter<'_>>,
) -> Result<NewFile, TransferError> {
    let (batches, mut taken) = mpsc::channel::<Vec<BinaryCopyOutRow>>(AHEAD);
    let writing = table.clone();
    let writer = tokio::task::spawn_blocking(move || {
        while let Some(batch) = taken.blocking_recv() {
            target.write(&writing, &batch)?;
        }
        Ok::<_, TransferError>(target)
    });
    let mut rows = Box::pin(database::rows(transaction, table, &table.copy_out()).await?);
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    loop {
        let row = rows.try_next().await.map_err(|error| database::failed(&error))?;
        let is_last = row.is_none();
        batch.extend(row);
        if batch.len() < BATCH_ROWS && !is_last {
            continue;
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if batches.send(std::mem::take(&mut batch)).await.is_err() {
            break; // The writer failed: its reason comes below.
        }
        if let Some(meter) = &mut meter {
            meter.add(&table.name, count)?;
        }
        if is_last {
            break;
        }
    }
    drop(batches);
    writer.await.map_err(|error| ended(&error))?
}
