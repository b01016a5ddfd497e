//! Counters of the role.

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use runtime::telemetry::Metrics;

/// The role's metrics. Their help texts say what they count.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the help texts below say it")]
pub struct JobsMetrics {
    pub done: Counter,
    pub failed: Counter,
    pub given_up: Counter,
    pub unreadable: Counter,
    pub running: Gauge,
    pub late_ms: Gauge,
}

impl JobsMetrics {
    /// Registers them as `parlance_jobs_…`.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let all = Self::default();
        metrics.register("jobs", |registry| {
            let counters = [
                ("done", "Jobs that were done", &all.done),
                ("failed", "Tries that failed and are repeated", &all.failed),
                ("given_up", "Jobs that were given up: `parlance jobs` shows them", &all.given_up),
                ("unreadable", "Looks for due jobs that failed", &all.unreadable),
            ];
            for (name, help, counter) in counters {
                registry.register(name, help, counter.clone());
            }
            registry.register("running", "Jobs that run now", all.running.clone());
            let help = "How long the last job that was begun had been due, milliseconds";
            registry.register("late_ms", help, all.late_ms.clone());
        });
        all
    }
}
