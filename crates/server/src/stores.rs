//! Opens the store that the configuration names: the embedded one, one PostgreSQL, or several shards.

use std::{path::Path, sync::Arc};

use anyhow::{Context, ensure};
use store::{DataDir, Directory, Log, PlacementState, Shard, ShardedStore, Store, postgres};

use crate::config::Config;

/// An open store.
pub struct Opened {
    /// Its databases: one, or as many as there are shards.
    pub shards: Vec<OpenedShard>,
    /// The read side of all of them.
    pub store: Arc<dyn Store>,
    /// Who lives where, when there are several.
    pub directory: Option<Arc<Directory>>,
    /// The data directory, when the store itself does not hold it.
    pub data: Option<DataDir>,
}

/// One database.
pub struct OpenedShard {
    /// Its write side.
    pub log: Box<dyn Log>,
    /// Its read side.
    pub store: Arc<dyn Store>,
}

impl Opened {
    fn one(log: Box<dyn Log>, store: Arc<dyn Store>, data: Option<DataDir>) -> Self {
        let shard = OpenedShard { log, store: Arc::clone(&store) };
        Self { shards: vec![shard], store, directory: None, data }
    }

    /// The write side of the database that `place` names among the shards.
    ///
    /// # Errors
    /// There is none.
    pub fn into_log(self, place: usize) -> anyhow::Result<(Box<dyn Log>, Option<DataDir>)> {
        let shard = self.shards.into_iter().nth(place).context("no such shard")?;
        Ok((shard.log, self.data))
    }
}

/// Whether `store` names PostgreSQL.
#[must_use]
pub fn is_postgres(name: &str) -> bool {
    name.starts_with("postgres://") || name.starts_with("postgresql://")
}

/// Opens it. Call it inside a runtime. A single store must be there; of several shards some may be away, and
/// are used when they come.
///
/// # Errors
/// A sentence for the operator.
pub async fn open(config: &Config) -> anyhow::Result<Opened> {
    let data = Path::new(&config.data);
    if !config.shards.is_empty() {
        let held = DataDir::hold(data)?;
        return open_shards(config, held).await;
    }
    if is_postgres(&config.store) {
        let held = DataDir::hold(data)?;
        let (log, store) = postgres::open(&config.store, config.store_readers).await?;
        return Ok(Opened::one(Box::new(log), Arc::new(store), Some(held)));
    }
    let (log, store) = store::sqlite::open(data)?;
    ensure_here(data, &store).await?;
    Ok(Opened::one(Box::new(log), Arc::new(store), None))
}

/// Refuses a store whose workspaces have all moved away: it would take no write.
async fn ensure_here(data: &Path, store: &dyn Store) -> anyhow::Result<()> {
    let workspaces = store.workspaces().await?;
    let mut gone = 0;
    for workspace in &workspaces {
        let placement = store.placement(workspace.id).await?;
        gone += usize::from(placement.is_some_and(|placement| placement.state == PlacementState::Gone));
    }
    ensure!(
        workspaces.is_empty() || gone < workspaces.len(),
        "the store in {} has moved to a database: serve that one with --store postgres://…, or take the workspaces \
         back with `parlance restore --in-place --take-back`",
        data.display()
    );
    Ok(())
}

async fn open_shards(config: &Config, held: DataDir) -> anyhow::Result<Opened> {
    let mut shards = Vec::with_capacity(config.shards.len());
    let mut listed = Vec::with_capacity(config.shards.len());
    for shard in &config.shards {
        let opened = postgres::open_later(&shard.store, config.store_readers).await;
        let (log, store) = opened.with_context(|| format!("shard {}", shard.name))?;
        let store: Arc<dyn Store> = Arc::new(store);
        listed.push(Shard {
            name: shard.name.clone(),
            store: Arc::clone(&store),
            accepts_new: shard.accepts_new,
        });
        shards.push(OpenedShard { log: Box::new(log), store });
    }
    let directory = Arc::new(Directory::new(listed));
    let store = Arc::new(ShardedStore::new(Arc::clone(&directory)));
    Ok(Opened { shards, store, directory: Some(directory), data: Some(held) })
}
