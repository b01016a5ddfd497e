//! What a gateway counts. One set for all loops of a process.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use runtime::telemetry::Metrics;

/// Label of what is counted by protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ProtocolLabel {
    /// `own` or `rtm`.
    pub(crate) protocol: &'static str,
}

/// Label of what is counted by reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReasonLabel {
    /// One of a few fixed words.
    pub(crate) reason: &'static str,
}

/// The counters.
#[derive(Debug, Clone, Default)]
pub(crate) struct GatewayMetrics {
    /// Open sessions.
    pub(crate) sessions: Family<ProtocolLabel, Gauge>,
    /// Topics followed, summed over loops.
    pub(crate) topics: Gauge,
    /// Events written or queued, summed over sessions.
    pub(crate) events: Counter,
    /// Bytes written or queued.
    pub(crate) bytes: Counter,
    /// Bytes that wait for slow sockets.
    pub(crate) queue_bytes: Gauge,
    /// Signals shed.
    pub(crate) signals_shed: Counter,
    /// Times that a session was told to pull.
    pub(crate) degraded: Counter,
    /// RTM sessions closed as too slow.
    pub(crate) too_slow: Counter,
    /// Pages read for sessions.
    pub(crate) pages: Counter,
    /// Pages that sessions got of another's read.
    pub(crate) shared_pages: Counter,
    /// Reads to fill a hole of a topic.
    pub(crate) holes: Counter,
    /// Live sessions found where they should not be. Not 0: a fault of the gateway.
    pub(crate) footing_lost: Counter,
    /// Topics subscribed to, renewals included.
    pub(crate) subscriptions: Counter,
    /// Subscriptions that were refused or failed and are tried again.
    pub(crate) subscriptions_failed: Counter,
    /// Pairs of a session and somebody whose presence it watches.
    pub(crate) presence_watches: Gauge,
    /// People whose presence was told to sessions, summed over them.
    pub(crate) presence_out: Counter,
    /// People whom presence servers did not take and who are told again.
    pub(crate) presence_failed: Counter,
    /// Sessions that did not start.
    pub(crate) boot_failures: Family<ReasonLabel, Counter>,
}

impl GatewayMetrics {
    /// Registers the counters.
    #[must_use]
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let all = Self::default();
        metrics.register("gateway", |registry| {
            registry.register("sessions", "Open sessions", all.sessions.clone());
            registry.register("topics", "Topics followed, summed over loops", all.topics.clone());
            registry.register("events_out", "Events written, summed over sessions", all.events.clone());
            registry.register("bytes_out", "Bytes written", all.bytes.clone());
            registry.register("queue_bytes", "Bytes waiting for slow sockets", all.queue_bytes.clone());
            registry.register("signals_shed", "Signals shed", all.signals_shed.clone());
            registry.register("degraded", "Times that a slow session was told to pull", all.degraded.clone());
            registry.register("too_slow", "RTM sessions closed as too slow", all.too_slow.clone());
            registry.register("pages", "Pages read for sessions", all.pages.clone());
            registry.register("shared_pages", "Pages of another session's read", all.shared_pages.clone());
            registry.register("holes", "Reads to fill a hole of a topic", all.holes.clone());
            registry.register(
                "footing_lost",
                "Live sessions out of place (a fault)",
                all.footing_lost.clone(),
            );
            registry.register("subscriptions", "Topics subscribed to", all.subscriptions.clone());
            registry.register(
                "subscriptions_failed",
                "Subscriptions to be tried again",
                all.subscriptions_failed.clone(),
            );
            registry.register(
                "presence_watches",
                "Sessions that watch somebody's presence, summed over people",
                all.presence_watches.clone(),
            );
            registry.register(
                "presence_out",
                "People whose presence was told, summed over sessions",
                all.presence_out.clone(),
            );
            registry.register(
                "presence_failed",
                "People to be told to presence servers again",
                all.presence_failed.clone(),
            );
            registry.register("boot_failures", "Sessions that did not start", all.boot_failures.clone());
        });
        all
    }
}
