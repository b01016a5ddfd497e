//! Counters of the role.

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use runtime::telemetry::Metrics;

/// The role's metrics. Their help texts say what they count.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the help texts below say it")]
pub struct AdminMetrics {
    pub queued: Gauge,
    pub forwarded: Counter,
    pub refused_full: Counter,
    pub given_up: Counter,
    pub dropped: Counter,
    pub behind: Counter,
    pub not_owner: Counter,
    pub call_failures: Counter,
    pub announced: Counter,
    pub signals: Counter,
    pub signals_lost: Counter,
    pub revoke_lapsed: Counter,
}

impl AdminMetrics {
    /// Registers them as `parlance_admin_…`.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let all = Self::default();
        metrics.register("admin", |registry| {
            registry.register("queued", "Events that wait for a slot", all.queued.clone());
            let counters = [
                ("forwarded", "Events that their slot took", &all.forwarded),
                (
                    "refused_full",
                    "Events refused because the queue to their slot was full",
                    &all.refused_full,
                ),
                ("given_up", "Events whose slot did not take them in time; the sweep repairs", &all.given_up),
                ("dropped", "Events that their slot refused for good; the sweep repairs", &all.dropped),
                ("behind", "Events that their slot will read from web", &all.behind),
                ("not_owner", "Items whose slot knew another ring", &all.not_owner),
                ("call_failures", "Failed calls to slots", &all.call_failures),
                ("announced", "Heads that were announced", &all.announced),
                ("signals", "Signals that were forwarded", &all.signals),
                ("signals_lost", "Signals whose slot did not take them", &all.signals_lost),
                ("revoke_lapsed", "Gateways that did not confirm a revocation", &all.revoke_lapsed),
            ];
            for (name, help, counter) in counters {
                registry.register(name, help, counter.clone());
            }
        });
        all
    }
}
