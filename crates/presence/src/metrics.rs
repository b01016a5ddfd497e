//! Counters of the role, by slot.

use model::SlotName;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use runtime::telemetry::Metrics;

use crate::state::Counts;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    slot: String,
}

/// The role's metrics, registered once per process; every slot takes its own from it.
#[derive(Debug, Clone, Default)]
pub struct PresenceMetrics {
    people: Family<Labels, Gauge>,
    watches: Family<Labels, Gauge>,
    changes: Family<Labels, Counter>,
    told: Family<Labels, Counter>,
    tell_failures: Family<Labels, Counter>,
    shed: Family<Labels, Counter>,
    not_owner: Family<Labels, Counter>,
}

impl PresenceMetrics {
    /// Registers them as `parlance_presence_…`.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let all = Self::default();
        metrics.register("presence", |registry| {
            registry.register("people", "People known, watched ones included", all.people.clone());
            registry.register("watches", "Gateways that watch, summed over people", all.watches.clone());
            let counters = [
                ("changes", "People who became active or away", &all.changes),
                ("told", "Changes handed to gateways", &all.told),
                ("tell_failures", "Calls to gateways that failed", &all.tell_failures),
                ("shed", "Reports and watches that found no room", &all.shed),
                ("not_owner", "Items that belong to another slot or an older ring", &all.not_owner),
            ];
            for (name, help, family) in counters {
                registry.register(name, help, family.clone());
            }
        });
        all
    }

    /// The metrics of one slot.
    pub(crate) fn slot(&self, slot: &SlotName) -> SlotMetrics {
        let labels = Labels { slot: slot.0.clone() };
        let counter = |family: &Family<Labels, Counter>| family.get_or_create_owned(&labels);
        let gauge = |family: &Family<Labels, Gauge>| family.get_or_create_owned(&labels);
        SlotMetrics {
            people: gauge(&self.people),
            watches: gauge(&self.watches),
            changes: counter(&self.changes),
            told: counter(&self.told),
            tell_failures: counter(&self.tell_failures),
            shed: counter(&self.shed),
            not_owner: counter(&self.not_owner),
        }
    }
}

/// The metrics of one slot. Their help texts say what they count.
#[derive(Debug, Clone)]
pub(crate) struct SlotMetrics {
    people: Gauge,
    watches: Gauge,
    changes: Counter,
    pub(crate) told: Counter,
    pub(crate) tell_failures: Counter,
    shed: Counter,
    pub(crate) not_owner: Counter,
}

impl SlotMetrics {
    /// Shows what the state counted.
    pub(crate) fn show(&self, counts: &Counts) {
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.people.set(gauge(counts.people));
        self.watches.set(gauge(counts.watches));
        self.changes.inc_by(counts.changes);
        self.shed.inc_by(counts.refused);
    }
}
