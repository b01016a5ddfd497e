//! Puts a backup back.
//!
//! A backup knows fewer events than clients that went on after it. Were their positions valid afterwards,
//! they would mix the events of two histories. So every restore raises the generation of every topic, in the
//! transaction that lets the store be used: clients then start from a snapshot. It is raised to the time in
//! seconds, so that the same backup restored twice does not come to the same generation twice.

use std::{fs, path::Path};

use model::{Micros, WorkspaceId};

use super::{
    Progress, Stage, Step, TransferError, Verified,
    database::Database,
    file::{self, File},
    migrate::Target,
    plan::{Placement, State},
    verify::{Side, verify},
};
use crate::{
    DataDir,
    data_dir::{beside, finish},
    migrations::MIGRATIONS,
    sqlite,
};

/// Where a restore works, in the data directory.
const WORKSHOP: &str = "restore.partial";

/// What a restore came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What was compared; `None` if an earlier run had compared it.
    pub verified: Option<Verified>,
    /// Workspaces that lived elsewhere when the backup was made, and still take no writes here.
    pub elsewhere: Vec<WorkspaceId>,
}

/// What raising the generations in place came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InPlace {
    /// Topics raised.
    pub topics: u64,
    /// Workspaces that live elsewhere.
    pub elsewhere: Vec<WorkspaceId>,
}

/// Puts the backup `from` into the directory `data`, which must have no store, or into the empty PostgreSQL
/// database `url`. Into a database it goes on where it was when it was killed. `take_back`: also workspaces
/// that had moved elsewhere when the backup was made live here again. Call it inside a runtime.
///
/// # Errors
/// [`TransferError`]; there is no store then.
pub async fn restore(
    from: &Path,
    data: &Path,
    url: Option<&str>,
    take_back: bool,
    now: Micros,
    progress: Progress<'_>,
) -> Result<Restored, TransferError> {
    let backup = File::lying(from);
    let version = backup.check()?;
    let placements = backup.placements()?;
    if !placements.is_empty() && placements.iter().all(|one| placed(*one, take_back).state != State::Here) {
        return Err(TransferError::Elsewhere);
    }
    let _held = DataDir::hold(data)?;
    let workshop = data.join(WORKSHOP);
    clear(&workshop)?;
    let restored = match url {
        None => into_directory(&backup, data, &workshop, take_back, now, progress).await,
        Some(url) => into_database(&backup, version, &workshop, url, take_back, now, progress).await,
    };
    clear(&workshop)?;
    restored
}

async fn into_directory(
    backup: &File,
    data: &Path,
    workshop: &Path,
    take_back: bool,
    now: Micros,
    progress: Progress<'_>,
) -> Result<Restored, TransferError> {
    let target = data.join(sqlite::DATABASE);
    // A WAL without its database would be taken for that of the new one.
    for path in [target.clone(), beside(&target, "-wal")] {
        if path.exists() {
            return Err(TransferError::Occupied { path: path.display().to_string() });
        }
    }
    let copy = copy_into(backup, workshop, progress)?;
    let tables = backup.tables()?;
    let mut all = 0;
    for table in &tables {
        all += backup.count(table)?;
    }
    let verified = verify(&tables, Side::File(backup), Side::File(&copy), all, progress).await?;
    drop(sqlite::open(workshop)?);
    copy.raise(generation(now), take_back)?;
    let elsewhere = elsewhere(&copy.placements()?);
    finish(&workshop.join(sqlite::DATABASE), &target).map_err(|error| file::failed(&target, &error))?;
    Ok(Restored { verified: Some(verified), elsewhere })
}

async fn into_database(
    backup: &File,
    version: usize,
    workshop: &Path,
    url: &str,
    take_back: bool,
    now: Micros,
    progress: Progress<'_>,
) -> Result<Restored, TransferError> {
    let mut source = backup.clone();
    if version < MIGRATIONS.len() {
        // The database has the newest schema: so must what is copied into it. The backup stays as it is.
        source = copy_into(backup, workshop, &mut *progress)?;
        drop(sqlite::open(workshop)?);
    }
    let placements = source.placements()?.into_iter().map(|one| placed(one, take_back));
    let placements: Vec<Placement> = placements.collect();
    let elsewhere = elsewhere(&placements);
    let mut target = Target::open(url, source, placements).await?.known_by(backup.fingerprint()?);
    let plan = target.plan("the backup").await?;
    let verified = target.fill(plan, progress).await?;
    target.take_over(Some(generation(now))).await?;
    target.database.close().await;
    Ok(Restored { verified, elsewhere })
}

/// Where a workspace of the backup is to be: what had left, or was on its way, stays away unless it is taken
/// back.
fn placed(one: Placement, take_back: bool) -> Placement {
    match one.state {
        State::Here => one,
        State::Moving | State::Gone if take_back => Placement { state: State::Here, ..one },
        State::Moving | State::Gone => Placement { state: State::Gone, ..one },
    }
}

/// A store that was put back by other means (a copied file, PostgreSQL's own recovery): raises the generation
/// of every topic. No server may be running on it. `take_back`: workspaces that had moved elsewhere, or were
/// on their way, live here again. Call it inside a runtime.
///
/// # Errors
/// [`TransferError`]; nothing is changed then.
pub async fn raise_generations(
    data: &Path,
    url: Option<&str>,
    take_back: bool,
    now: Micros,
) -> Result<InPlace, TransferError> {
    let (topics, placements) = match url {
        None => {
            let path = data.join(sqlite::DATABASE);
            if !path.exists() {
                return Err(TransferError::NoStore { path: data.display().to_string() });
            }
            let _held = sqlite::open(data)?;
            let file = File::held(path);
            (file.raise(generation(now), take_back)?, file.placements()?)
        }
        Some(url) => {
            let _held = DataDir::hold(data)?;
            let mut database = Database::connect(url).await?;
            database.check().await?;
            drop(crate::postgres::open(url, 1).await?);
            let raised = database.raise(generation(now), take_back).await?;
            database.close().await;
            raised
        }
    };
    Ok(InPlace { topics, elsewhere: elsewhere(&placements) })
}

/// A generation that no earlier restore had.
fn generation(now: Micros) -> u32 {
    u32::try_from(now / 1_000_000).unwrap_or_default()
}

fn elsewhere(placements: &[Placement]) -> Vec<WorkspaceId> {
    let gone = placements.iter().filter(|placement| placement.state != State::Here);
    gone.map(|placement| placement.id()).collect()
}

/// Copies the backup into a directory of its own.
fn copy_into(backup: &File, workshop: &Path, progress: Progress<'_>) -> Result<File, TransferError> {
    fs::create_dir(workshop).map_err(|error| file::failed(workshop, &error))?;
    let path = workshop.join(sqlite::DATABASE);
    let mut stopped = false;
    backup.copy_to(&path, |done, all| {
        let step = Step { stage: Stage::CopyingPages, table: String::new(), done, all };
        stopped |= progress(step).is_break();
        !stopped
    })?;
    if stopped { Err(TransferError::Stopped) } else { Ok(File::held(path)) }
}

fn clear(workshop: &Path) -> Result<(), TransferError> {
    match fs::remove_dir_all(workshop) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file::failed(workshop, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use rusqlite::Connection;

    use super::*;
    use crate::transfer::file::NewFile;

    #[tokio::test]
    async fn a_backup_of_the_first_schema_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let (old, data) = (folder.path().join("old"), folder.path().join("data"));
        drop(NewFile::create(&old, 1).unwrap());
        let rows = "INSERT INTO placements VALUES (1, 1, 1); INSERT INTO topics VALUES (1, 2, 1, 3, 4, 0)";
        Connection::open(&old).unwrap().execute_batch(rows).unwrap();
        let bytes = fs::read(&old).unwrap();
        let now = 60_000_000;
        let mut on = |_| ControlFlow::Continue(());
        let restored = restore(&old, &data, None, false, now, &mut on).await.unwrap();
        assert_eq!(restored.verified, Some(Verified { topics: 1, messages: 0, rows: 1 }));
        let new = Connection::open(data.join(sqlite::DATABASE)).unwrap();
        let read = |sql: &str| new.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(usize::try_from(read("SELECT count(*) FROM migrations")), Ok(MIGRATIONS.len()));
        assert_eq!(read("SELECT generation FROM topics"), 60);
        assert_eq!(fs::read(&old).unwrap(), bytes, "the backup stays as it is");
    }
}
