//! Rate limits: a bounded table of theoretical arrival times (GCRA).

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Keys that one table remembers. When it is full, those whose limit has recovered are forgotten; if none
/// has, the whole table is: for a moment the limits are laxer, memory stays bounded.
const KEYS_MAX: usize = 100_000;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Then one each.
    pub every: Duration,
}

impl Rate {
    /// `count` in a minute, all of them at once if need be.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self { burst: count, every: Duration::from_micros(60_000_000 / count as u64) }
    }
}

/// Limits per key.
#[derive(Debug)]
pub struct Limits<K> {
    arrivals: Mutex<HashMap<K, Instant>>,
}

impl<K> Default for Limits<K> {
    fn default() -> Self {
        Self { arrivals: Mutex::default() }
    }
}

impl<K: Hash + Eq> Limits<K> {
    /// Counts one happening.
    ///
    /// # Errors
    /// It is one too many: come back after this time.
    pub fn check(&self, key: K, rate: Rate, now: Instant) -> Result<(), Duration> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() >= KEYS_MAX && !arrivals.contains_key(&key) {
            arrivals.retain(|_, arrival| *arrival > now);
            if arrivals.len() >= KEYS_MAX {
                arrivals.clear();
            }
        }
        let expected = arrivals.get(&key).copied().unwrap_or(now).max(now);
        let ahead = expected.duration_since(now);
        let allowed = rate.every * rate.burst.saturating_sub(1);
        if ahead > allowed {
            return Err(ahead - allowed);
        }
        arrivals.insert(key, expected + rate.every);
        Ok(())
    }

    /// Takes one happening back: it turned out not to count.
    pub fn refund(&self, key: &K, rate: Rate) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arrival) = arrivals.get_mut(key) {
            *arrival = arrival.checked_sub(rate.every).unwrap_or(*arrival);
        }
    }
}

/// Whole seconds to wait, at least 1: what `Retry-After` says.
#[must_use]
pub fn retry_after_s(wait: Duration) -> u32 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_each() {
        let limits = Limits::default();
        let rate = Rate { burst: 3, every: Duration::from_secs(2) };
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(limits.check("a", rate, start), Ok(()));
        }
        assert_eq!(limits.check("a", rate, start), Err(Duration::from_secs(2)));
        assert_eq!(limits.check("b", rate, start), Ok(()));
        assert_eq!(limits.check("a", rate, start + Duration::from_secs(2)), Ok(()));
        assert!(limits.check("a", rate, start + Duration::from_secs(2)).is_err());
        limits.refund(&"a", rate);
        assert_eq!(limits.check("a", rate, start + Duration::from_secs(2)), Ok(()));
        assert_eq!(retry_after_s(Duration::from_millis(1)), 1);
        assert_eq!(retry_after_s(Duration::from_millis(1_001)), 2);
    }
}
