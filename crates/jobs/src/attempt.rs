//! What becomes of a job that failed.

use std::time::Duration;

/// How often a job is tried, and how long it rests in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries before it is given up, at least 1. Default 10.
    pub tries_max: u32,
    /// Rest after the first failure; doubles with each further one. Default 1 s.
    pub rest_min: Duration,
    /// Longest rest. Default 10 min.
    pub rest_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries_max: 10, rest_min: Duration::from_secs(1), rest_max: Duration::from_secs(600) }
    }
}

impl Patience {
    /// How long a job rests that has failed so often; `None`: it is given up.
    #[must_use]
    pub fn rest_after(&self, tries: u32) -> Option<Duration> {
        if tries >= self.tries_max {
            return None;
        }
        let doublings = tries.saturating_sub(1).min(31);
        Some(self.rest_min.saturating_mul(1 << doublings).min(self.rest_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_the_longest_and_end() {
        let patience =
            Patience { tries_max: 6, rest_min: Duration::from_secs(2), rest_max: Duration::from_secs(10) };
        let rests: Vec<_> =
            (1..=7).map(|tries| patience.rest_after(tries).map(|rest| rest.as_secs())).collect();
        assert_eq!(rests, [Some(2), Some(4), Some(8), Some(10), Some(10), None, None]);
        assert_eq!(Patience { tries_max: 1, ..patience }.rest_after(1), None);
        assert!(Patience { tries_max: u32::MAX, ..patience }.rest_after(1_000).is_some());
    }
}
