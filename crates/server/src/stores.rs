//! Opens the store that the configuration names.

use std::{path::Path, sync::Arc};

use store::{DataDir, Log, Store};

use crate::config::Config;

/// An open store.
pub struct Opened {
    /// The write side.
    pub log: Box<dyn Log>,
    /// The read side.
    pub store: Arc<dyn Store>,
    /// The data directory, when the store itself does not hold it.
    pub data: Option<DataDir>,
}

/// Whether `store` names PostgreSQL.
#[must_use]
pub fn is_postgres(name: &str) -> bool {
    name.starts_with("postgres://") || name.starts_with("postgresql://")
}

/// Opens it: the embedded one in the data directory, or PostgreSQL. Call it inside a runtime.
///
/// # Errors
/// A sentence for the operator.
pub async fn open(config: &Config) -> anyhow::Result<Opened> {
    let data = Path::new(&config.data);
    if is_postgres(&config.store) {
        let held = DataDir::hold(data)?;
        let (log, store) = store::postgres::open(&config.store, store::postgres::READERS_DEFAULT).await?;
        return Ok(Opened { log: Box::new(log), store: Arc::new(store), data: Some(held) });
    }
    let (log, store) = store::sqlite::open(data)?;
    Ok(Opened { log: Box::new(log), store: Arc::new(store), data: None })
}
