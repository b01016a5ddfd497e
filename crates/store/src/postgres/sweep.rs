//! The sweep: which topics were moved by transactions of any process since the last look.
//!
//! Rows of `commits` are numbered when they are written and seen when they are committed, so a smaller number
//! may appear after a larger one. The numbers are dense but for transactions that failed: a number that is
//! missing is looked for again until it is older than the log is long.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tracing::warn;

use super::{
    connection::Engine,
    pool::Pool,
    read::{again, end, failed, try_read},
};
use crate::{
    Changed, StoreError, Sweep, commits,
    tx::{Tx, params},
};

/// Numbers before the newest that the first look covers: transactions that were open then are among them.
const LOOK_BACK: i64 = 1_000;
/// Rows of one look.
const ROWS_MAX: u32 = 5_000;
/// Missing numbers that are looked for at once. Beyond, the oldest are given up, and their topics wait for
/// their next event.
const MISSING_MAX: usize = 4_096;
/// How long a number is looked for: a commit that took longer than that was not acknowledged.
const MISSING_FOR: Duration = Duration::from_secs(600);

/// What was seen of the log of commits.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The largest number seen; `None` before the first look.
    last: Option<i64>,
    /// Numbers below it that were not seen, and since when.
    missing: BTreeMap<i64, Instant>,
}

impl Seen {
    /// Takes the numbers of one look: all that there were above the last, ascending, and those of the missing
    /// that have turned up.
    fn take(&mut self, above: &[i64], turned_up: &[i64], now: Instant) {
        for number in turned_up {
            self.missing.remove(number);
        }
        for &number in above {
            if let Some(last) = self.last {
                self.missing.extend((last + 1..number).rev().take(MISSING_MAX).map(|missing| (missing, now)));
            }
            self.last = Some(number);
        }
        self.missing.retain(|_, since| now.duration_since(*since) < MISSING_FOR);
        let over = self.missing.len().saturating_sub(MISSING_MAX);
        if over > 0 {
            warn!(over, "commits are not looked for any more");
            let keep = self.missing.keys().nth(over).copied().unwrap_or(i64::MAX);
            self.missing = self.missing.split_off(&keep);
        }
    }

    /// The newest number of the log. A smaller one than was seen means another log: one from before, after a
    /// failover that lost the newest.
    fn newest_is(&mut self, newest: Option<i64>) {
        if let (Some(newest), Some(last)) = (newest, self.last)
            && newest < last
        {
            warn!(newest, last, "the log of commits went back");
            *self = Self::default();
        }
        if self.last.is_none() {
            self.last = newest.map(|newest| newest.saturating_sub(LOOK_BACK));
        }
    }
}

/// The sweep of one database.
pub(super) struct PostgresSweep {
    engine: Arc<Engine>,
    pool: Pool,
    seen: Seen,
}

impl PostgresSweep {
    pub(super) fn new(engine: Arc<Engine>, pool: Pool) -> Self {
        Self { engine, pool, seen: Seen::default() }
    }
}

#[async_trait]
impl Sweep for PostgresSweep {
    async fn changed(&mut self) -> Result<Changed, StoreError> {
        let began = Instant::now();
        loop {
            let seen = &mut self.seen;
            match try_read(&self.pool, async |tx| look(tx, seen).await).await {
                Ok((answer, connection)) => {
                    self.engine.reads.is_up();
                    end(connection).await;
                    return answer;
                }
                Err(failure) if again(&self.engine, &failure, began).await => {}
                Err(failure) => return Err(failed(&failure)),
            }
        }
    }
}

/// One look. What it found counts as seen only when all of it was read.
async fn look(tx: &mut dyn Tx, seen: &mut Seen) -> Result<Changed, StoreError> {
    let first = tx.query("SELECT max(n) FROM commits", &[]).await?.into_iter().next();
    let newest: Option<i64> = first.map(|mut row| row.take()).transpose()?.flatten();
    seen.newest_is(newest);
    let Some(last) = seen.last else { return Ok(Changed::default()) };
    let sql = "SELECT n, heads, revoked FROM commits WHERE n > $1 ORDER BY n LIMIT $2";
    let (above, mut changed) = commits::read(tx.query(sql, &params![last, ROWS_MAX]).await?)?;
    let keys = seen.missing.keys().map(|number| params![*number].into()).collect();
    let sql = "SELECT n, heads, revoked FROM commits WHERE (n) IN (VALUES $keys)";
    let late = tx.query_keys(&[(sql, keys)]).await?.into_iter().flatten().collect();
    let (turned_up, late) = commits::read(late)?;
    changed.heads.extend(late.heads);
    changed.revoked.extend(late.revoked);
    seen.take(&above, &turned_up, Instant::now());
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(seen: &Seen) -> Vec<i64> {
        seen.missing.keys().copied().collect()
    }

    #[test]
    fn a_number_that_was_passed_over_is_looked_for_until_it_turns_up() {
        let mut seen = Seen::default();
        let now = Instant::now();
        seen.newest_is(Some(5_000));
        assert_eq!(seen.last, Some(4_000));
        seen.take(&[4_001, 4_004], &[], now);
        assert_eq!(missing(&seen), [4_002, 4_003]);
        seen.take(&[4_005], &[4_003], now);
        assert_eq!((missing(&seen), seen.last), (vec![4_002], Some(4_005)));
        seen.take(&[], &[], now + MISSING_FOR);
        assert!(seen.missing.is_empty());
    }

    #[test]
    fn an_empty_log_changes_nothing_and_an_earlier_one_starts_again() {
        let mut seen = Seen::default();
        seen.newest_is(None);
        assert_eq!(seen.last, None);
        seen.newest_is(Some(10));
        seen.take(&[9, 10], &[], Instant::now());
        seen.newest_is(None);
        assert_eq!(seen.last, Some(10), "trimmed, not gone back");
        seen.newest_is(Some(8));
        assert_eq!((seen.last, seen.missing.len()), (Some(8 - LOOK_BACK), 0));
    }

    #[test]
    fn what_is_looked_for_has_a_bound() {
        let mut seen = Seen { last: Some(0), missing: BTreeMap::new() };
        seen.take(&[10_000_000], &[], Instant::now());
        seen.take(&[10_000_002], &[], Instant::now());
        assert_eq!(seen.missing.len(), MISSING_MAX);
        assert_eq!(seen.missing.keys().next_back(), Some(&10_000_001));
    }
}
