//! Whether the databases answer: looked at every few seconds, for `/readyz`, a metric and the log.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use store::{ShardCheck, Store};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(2);

/// What the last look found. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreHealth {
    known: Arc<Mutex<Vec<Shard>>>,
    up: Family<OfShard, Gauge>,
}

/// Labels of a database, by its name in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfShard {
    shard: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Shard {
    name: String,
    /// What is wrong; `None`: nothing.
    wrong: Option<String>,
}

impl StoreHealth {
    /// Registers the metric.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let health = Self { known: Arc::default(), up: Family::default() };
        registry.register("up", "1: the database answers and takes writes", health.up.clone());
        health
    }

    /// Looks until the drain.
    pub async fn watch(self, store: Arc<dyn Store>, drain: CancellationToken) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let found = store.check().await.into_iter().map(shard).collect();
            self.note(found);
        }
    }

    fn note(&self, found: Vec<Shard>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for shard in &found {
            let before = known.iter().find(|before| before.name == shard.name);
            let was = before.and_then(|before| before.wrong.as_ref());
            match (was, &shard.wrong) {
                (None, Some(wrong)) => warn!(shard = shard.name, wrong, "a store is not well"),
                (Some(_), None) => info!(shard = shard.name, "a store is well again"),
                _ => {}
            }
            let up = self.up.get_or_create(&OfShard { shard: shard.name.clone() });
            up.set(i64::from(shard.wrong.is_none()));
        }
        *known = found;
    }

    /// `Ok`: at least one database is well, and which are not; `Err`: none is.
    ///
    /// # Errors
    /// As said, a line for each.
    pub fn ready(&self) -> Result<String, String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = String::new();
        for shard in known.iter() {
            if let Some(wrong) = &shard.wrong {
                lines.push_str(&format!("{}: {wrong}\n", shard.name));
            }
        }
        let well = known.is_empty() || known.iter().any(|shard| shard.wrong.is_none());
        if well { Ok(format!("ok\n{lines}")) } else { Err(lines) }
    }
}

fn shard(check: ShardCheck) -> Shard {
    let wrong = match (check.reads, check.writes) {
        (Err(error), _) => {
            warn!(shard = check.name, %error, "a store does not answer");
            Some("it does not answer".to_owned())
        }
        (Ok(()), wrong) => wrong.map(str::to_owned),
    };
    Shard { name: check.name, wrong }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(name: &str, wrong: Option<&str>) -> Shard {
        Shard { name: name.to_owned(), wrong: wrong.map(str::to_owned) }
    }

    #[test]
    fn one_well_shard_is_enough_to_be_ready() {
        let health = StoreHealth::register(&mut Registry::default());
        assert_eq!(health.ready(), Ok("ok\n".to_owned()), "before the first look");
        health.note(vec![shard("a", None), shard("b", Some("gone"))]);
        assert_eq!(health.ready(), Ok("ok\nb: gone\n".to_owned()));
        health.note(vec![shard("a", Some("slow")), shard("b", Some("gone"))]);
        assert_eq!(health.ready(), Err("a: slow\nb: gone\n".to_owned()));
    }
}
