//! Counters of the role, by slot.

use model::SlotName;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use runtime::telemetry::Metrics;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    slot: String,
}

/// The role's metrics, registered once per process; every slot takes its own from it.
#[derive(Debug, Clone, Default)]
pub struct ChannelMetrics {
    events: Family<Labels, Counter>,
    events_known: Family<Labels, Counter>,
    events_held: Family<Labels, Counter>,
    not_owner: Family<Labels, Counter>,
    heads: Family<Labels, Counter>,
    heads_failed: Family<Labels, Counter>,
    reads: Family<Labels, Counter>,
    reads_failed: Family<Labels, Counter>,
    deliveries: Family<Labels, Counter>,
    deliver_failures: Family<Labels, Counter>,
    degraded: Family<Labels, Counter>,
    signals_shed: Family<Labels, Counter>,
    ephemerals_lost: Family<Labels, Counter>,
    topics: Family<Labels, Gauge>,
    history_bytes: Family<Labels, Gauge>,
    gateways: Family<Labels, Gauge>,
}

impl ChannelMetrics {
    /// Registers them as `parlance_channel_…`.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let all = Self::default();
        metrics.register("channel", |registry| {
            let counters = [
                ("events", "Events that were passed on, by being published or read", &all.events),
                ("events_known", "Published events that were known already", &all.events_known),
                ("events_held", "Published events that came before their predecessor", &all.events_held),
                ("not_owner", "Items that belong to another slot or an older ring", &all.not_owner),
                ("heads", "Heads learned from web", &all.heads),
                ("heads_failed", "Failed calls for heads", &all.heads_failed),
                ("reads", "Reads of missing events from web", &all.reads),
                ("reads_failed", "Failed reads of missing events", &all.reads_failed),
                ("deliveries", "Deliveries handed to gateways", &all.deliveries),
                ("deliver_failures", "Calls to gateways that failed", &all.deliver_failures),
                ("degraded", "Deliveries that became a topic's head", &all.degraded),
                ("signals_shed", "Typing signals that were dropped", &all.signals_shed),
                ("ephemerals_lost", "Ephemeral messages that were dropped", &all.ephemerals_lost),
            ];
            for (name, help, family) in counters {
                registry.register(name, help, family.clone());
            }
            registry.register("topics", "Topics in memory", all.topics.clone());
            registry.register("history_bytes", "Bytes of kept events", all.history_bytes.clone());
            registry.register("gateways", "Gateways that listen", all.gateways.clone());
        });
        all
    }

    /// The metrics of one slot.
    #[must_use]
    pub fn slot(&self, slot: &SlotName) -> SlotMetrics {
        let labels = Labels { slot: slot.0.clone() };
        let counter = |family: &Family<Labels, Counter>| family.get_or_create_owned(&labels);
        let gauge = |family: &Family<Labels, Gauge>| family.get_or_create_owned(&labels);
        SlotMetrics {
            events: counter(&self.events),
            events_known: counter(&self.events_known),
            events_held: counter(&self.events_held),
            not_owner: counter(&self.not_owner),
            heads: counter(&self.heads),
            heads_failed: counter(&self.heads_failed),
            reads: counter(&self.reads),
            reads_failed: counter(&self.reads_failed),
            deliveries: counter(&self.deliveries),
            deliver_failures: counter(&self.deliver_failures),
            degraded: counter(&self.degraded),
            signals_shed: counter(&self.signals_shed),
            ephemerals_lost: counter(&self.ephemerals_lost),
            topics: gauge(&self.topics),
            history_bytes: gauge(&self.history_bytes),
            gateways: gauge(&self.gateways),
        }
    }
}

/// The metrics of one slot. Their help texts say what they count.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the help texts above say it")]
pub struct SlotMetrics {
    pub events: Counter,
    pub events_known: Counter,
    pub events_held: Counter,
    pub not_owner: Counter,
    pub heads: Counter,
    pub heads_failed: Counter,
    pub reads: Counter,
    pub reads_failed: Counter,
    pub deliveries: Counter,
    pub deliver_failures: Counter,
    pub degraded: Counter,
    pub signals_shed: Counter,
    pub ephemerals_lost: Counter,
    pub topics: Gauge,
    pub history_bytes: Gauge,
    pub gateways: Gauge,
}
