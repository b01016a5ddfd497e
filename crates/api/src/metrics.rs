//! Metrics of the role.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Upper ends of the latency buckets, seconds.
const BUCKETS_S: [f64; 12] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Labels of one kind of answer. Only methods and codes of this program get here, never a caller's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    error: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    method: &'static str,
}

/// The role's metrics.
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Named, Histogram, fn() -> Histogram>,
    waiting: Gauge,
}

impl ApiMetrics {
    /// Registers them.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(BUCKETS_S);
        let metrics = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            waiting: Gauge::default(),
        };
        registry.register("requests", "Calls answered, by method and error code", metrics.requests.clone());
        registry.register("request_seconds", "Time to answer a call", metrics.seconds.clone());
        registry.register("writes_waiting", "Writes in the appender's queue", metrics.waiting.clone());
        metrics
    }

    /// Says how many writes wait in the appender's queue.
    pub fn waiting(&self, writes: usize) {
        self.waiting.set(i64::try_from(writes).unwrap_or(i64::MAX));
    }

    /// Counts an answer. `method` is empty for unknown methods, `error` for successes.
    pub fn answered(&self, method: &'static str, error: &'static str, took: Duration) {
        self.requests.get_or_create(&Answered { method, error }).inc();
        self.seconds.get_or_create(&Named { method }).observe(took.as_secs_f64());
    }
}
