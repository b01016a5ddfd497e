//! Moves an embedded installation to PostgreSQL.

use std::path::Path;

use tokio::sync::mpsc;

use super::{
    Meter, Progress, Stage, TransferError, Verified,
    database::{self, Database, Mark},
    ended,
    file::File,
    plan::{Placement, Plan, State, plan},
    table::Table,
    verify::{Side, verify},
};
use crate::sqlite;

/// Chunks that the reading of the file may be ahead. It waits when the queue is full.
const AHEAD: usize = 2;

/// What a migration came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrated {
    /// Everything was copied and compared, and the database has taken over.
    Moved(Verified),
    /// An earlier run had done all that matters; what was left of it is done now.
    Before,
}

/// Moves the embedded store in the directory `from` to the PostgreSQL database `url`, which must be empty or
/// hold an unfinished copy of the same store. Killed at any moment and started again, it goes on where it
/// was. At the end the database takes writes and the directory does not. Call it inside a runtime.
///
/// # Errors
/// [`TransferError`]. The directory stays as it is unless the copy was compared.
pub async fn migrate(from: &Path, url: &str, progress: Progress<'_>) -> Result<Migrated, TransferError> {
    let path = from.join(sqlite::DATABASE);
    let name = from.display().to_string();
    if !path.exists() {
        return Err(TransferError::NoStore { path: name });
    }
    // Holds the directory until the end, and brings its schema up to that of the database.
    let _held = sqlite::open(from)?;
    let source = File::held(path);
    let placements = source.placements()?;
    if placements.is_empty() {
        return Err(TransferError::Nothing { path: name });
    }
    let mut target = Target::open(url, source, placements).await?;
    let plan = target.plan(&name).await?;
    let mut verified = None;
    if !matches!(plan, Plan::Finish | Plan::Nothing) {
        verified = target.fill(plan, progress).await?;
        target.source.set_state(State::Here, State::Moving, false)?;
        target.take_over(None).await.map_err(half)?;
    }
    if plan != Plan::Nothing {
        target.source.set_state(State::Moving, State::Gone, true).map_err(half)?;
    }
    target.database.close().await;
    Ok(verified.map_or(Migrated::Before, Migrated::Moved))
}

fn half(error: TransferError) -> TransferError {
    TransferError::HalfSwitched { reason: error.to_string() }
}

/// A copy from a file into a database.
pub(super) struct Target {
    pub(super) source: File,
    placements: Vec<Placement>,
    fingerprint: String,
    tables: Vec<Table>,
    pub(super) database: Database,
}

impl Target {
    /// Opens the database and gives it our schema.
    pub(super) async fn open(
        url: &str,
        source: File,
        placements: Vec<Placement>,
    ) -> Result<Self, TransferError> {
        drop(crate::postgres::open(url, 1).await?);
        let database = Database::connect(url).await?;
        let (fingerprint, tables) = (source.fingerprint()?, source.tables()?);
        Ok(Self { source, placements, fingerprint, tables, database })
    }

    /// Another file stands for the source, which is known by this.
    pub(super) fn known_by(self, fingerprint: String) -> Self {
        Self { fingerprint, ..self }
    }

    /// What is to be done.
    pub(super) async fn plan(&mut self, name: &str) -> Result<Plan, TransferError> {
        let found = self.database.found(&self.tables).await?;
        plan(name, &self.placements, &self.fingerprint, &found)
    }

    /// Copies and compares what the plan says is not yet copied and compared. `None`: an earlier run had.
    pub(super) async fn fill(
        &mut self,
        plan: Plan,
        progress: Progress<'_>,
    ) -> Result<Option<Verified>, TransferError> {
        match plan {
            Plan::Begin => self.database.prepare(&self.fingerprint, &self.placements, &self.tables).await?,
            Plan::Continue => {}
            Plan::StartOver => {
                self.database.empty(&self.tables).await?;
                self.database.prepare(&self.fingerprint, &self.placements, &self.tables).await?;
            }
            Plan::Switch | Plan::Finish | Plan::Nothing => return Ok(None),
        }
        let mut all = 0;
        for table in &self.tables {
            all += self.source.count(table)?;
        }
        let marks = self.database.marks(&self.tables).await?;
        let done = marks.iter().map(|(_, mark)| mark.rows).sum();
        let mut meter = Meter { stage: Stage::Copying, done, all, progress: &mut *progress };
        for (table, mark) in marks {
            self.copy(&table, mark, &mut meter).await?;
        }
        let transaction = self.database.reading().await?;
        let (source, copy) = (Side::File(&self.source), Side::Database(&transaction));
        let verified = verify(&self.tables, source, copy, all, progress).await?;
        transaction.commit().await.map_err(|error| database::failed(&error))?;
        self.database.note_verified(&self.fingerprint).await?;
        Ok(Some(verified))
    }

    /// The database takes writes from now on.
    pub(super) async fn take_over(&mut self, generation: Option<u32>) -> Result<(), TransferError> {
        let placements: Vec<Placement> = self.placements.iter().map(|one| one.arrived()).collect();
        self.database.take_over(&placements, generation).await
    }

    /// Copies what is left of one table. A thread reads and encodes while the database writes.
    async fn copy(&mut self, table: &Table, mark: Mark, meter: &mut Meter<'_>) -> Result<(), TransferError> {
        let mut done = mark.rows;
        meter.add(&table.name, 0)?;
        let (sender, mut chunks) = mpsc::channel(AHEAD);
        let (file, reading) = (self.source.clone(), table.clone());
        let reader = tokio::task::spawn_blocking(move || {
            file.chunks(&reading, mark.key.as_deref(), |chunk| sender.blocking_send(chunk).is_ok())
        });
        while let Some(chunk) = chunks.recv().await {
            let rows = chunk.rows;
            self.database.write(&self.fingerprint, table, done, chunk).await?;
            done += rows;
            meter.add(&table.name, rows)?;
        }
        reader.await.map_err(|error| ended(&error))??;
        self.database.analyze(table).await
    }
}
