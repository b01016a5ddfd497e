//! What one presence server knows: people, their devices by gateway, and the gateways that watch them.
//!
//! A plain struct: time comes in as milliseconds of a clock that never goes back, calls come in in any order,
//! twice or not at all. A person is active if some device is (nothing else can make them so) and they have not
//! said that they are away. Whatever a gateway has told lapses with its lease, so what was lost on the way is
//! forgotten or told again.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use model::NodeId;
use rpc::{ManualAway, Person, PresenceChange, PresenceNow, PresenceReport, Refusal, Reply, Watch};
use smallvec::SmallVec;

/// Number of a gateway. Never used twice.
pub type GatewayKey = u32;

/// People whose time has come that one [`State::tick`] looks at; the rest is due at once.
const TICK_PEOPLE_MAX: usize = 4_096;

/// Times and bounds of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A device without activity for this long is away, milliseconds. Default 600,000; Slack's ten minutes.
    pub away_after_ms: u64,
    /// What a gateway does not tell again for this long is forgotten, milliseconds. Default 60,000.
    pub lease_ms: u64,
    /// A new server calls nobody away for this long, milliseconds: gateways are still telling it. Default 1,000.
    pub settle_ms: u64,
    /// People known, watched ones included. Full: further ones are refused. Default 1,000,000; about 250 bytes each.
    pub people_max: usize,
    /// Pairs of a gateway and somebody whom it watches. Full: further ones are refused. Default 4,000,000.
    pub watches_max: usize,
    /// Gateways. Full: further ones are refused. Default 4,096.
    pub gateways_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            away_after_ms: 600_000,
            lease_ms: 60_000,
            settle_ms: 1_000,
            people_max: 1_000_000,
            watches_max: 4_000_000,
            gateways_max: 4_096,
        }
    }
}

/// What a gateway has of a person. One without sessions is kept for its lease: its revision tells that reports
/// which are still on their way are old.
#[derive(Debug)]
struct Device {
    gateway: GatewayKey,
    revision: u64,
    sessions: u32,
    /// May be from before the clock began.
    activity_ms: i64,
    always: bool,
    until_ms: u64,
}

/// A gateway that watches a person.
#[derive(Debug)]
struct Watcher {
    gateway: GatewayKey,
    /// What was last on its way there; `None`: nothing, or it did not arrive.
    told: Option<bool>,
    until_ms: u64,
}

#[derive(Debug)]
struct Entry {
    devices: SmallVec<[Device; 1]>,
    watchers: SmallVec<[Watcher; 2]>,
    manual: Option<ManualAway>,
    /// When they did something that no gateway saw.
    touched_ms: Option<i64>,
    active: bool,
    version: u64,
    timer_ms: Option<u64>,
}

impl Entry {
    fn new(version: u64) -> Self {
        Self {
            devices: SmallVec::new(),
            watchers: SmallVec::new(),
            manual: None,
            touched_ms: None,
            active: false,
            version,
            timer_ms: None,
        }
    }

    fn connected(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.sessions > 0)
    }

    /// When they last did something, on any device.
    fn activity_ms(&self) -> Option<i64> {
        let seen = self.connected().map(|device| device.activity_ms).max()?;
        Some(self.touched_ms.map_or(seen, |touched_ms| touched_ms.max(seen)))
    }

    /// When their devices are away unless something is done; `None`: they are not connected, or long away.
    fn away_at_ms(&self, away_after_ms: u64) -> Option<u64> {
        u64::try_from(self.activity_ms()?.saturating_add_unsigned(away_after_ms)).ok()
    }

    fn on_device(&self, now_ms: u64, away_after_ms: u64) -> bool {
        self.connected().any(|device| device.always)
            || self.away_at_ms(away_after_ms).is_some_and(|at_ms| now_ms < at_ms)
    }

    /// When something changes by itself: a device becomes idle, a lease lapses.
    fn next_ms(&self, now_ms: u64, away_after_ms: u64) -> Option<u64> {
        let idle = self.away_at_ms(away_after_ms);
        let leases = self.devices.iter().map(|device| device.until_ms);
        let watches = self.watchers.iter().map(|watcher| watcher.until_ms);
        idle.into_iter().chain(leases).chain(watches).filter(|at_ms| *at_ms > now_ms).min()
    }
}

#[derive(Debug)]
struct Gateway {
    node: NodeId,
    /// People of whom it must be told.
    due: HashSet<Person>,
}

/// How much a server knows, and what it did since it was last asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// People known.
    pub people: usize,
    /// Pairs of a gateway and somebody whom it watches.
    pub watches: usize,
    /// People who became active or away, since the last look.
    pub changes: u64,
    /// Reports and watches that found no room, since the last look.
    pub refused: u64,
}

/// See the module.
#[derive(Debug)]
pub struct State {
    limits: Limits,
    settled_ms: u64,
    /// In boxes: a table has room for up to twice as many.
    people: HashMap<Person, Box<Entry>>,
    gateways: HashMap<GatewayKey, Gateway>,
    by_name: HashMap<String, GatewayKey>,
    timers: BTreeSet<(u64, Person)>,
    last_key: GatewayKey,
    version: u64,
    counts: Counts,
}

impl State {
    /// A server that knows nothing, at `now_ms`.
    #[must_use]
    pub fn new(limits: Limits, now_ms: u64) -> Self {
        Self {
            limits,
            settled_ms: now_ms.saturating_add(limits.settle_ms),
            people: HashMap::new(),
            gateways: HashMap::new(),
            by_name: HashMap::new(),
            timers: BTreeSet::new(),
            last_key: 0,
            version: 0,
            counts: Counts::default(),
        }
    }

    /// The number of a gateway, a new one if it is not known. A later start of it ends what the earlier one had.
    ///
    /// # Errors
    /// [`Refusal::Unknown`]: a later start of it is known. [`Refusal::Full`]: too many gateways.
    pub fn gateway(&mut self, node: &NodeId, now_ms: u64) -> Result<GatewayKey, Refusal> {
        if let Some(&key) = self.by_name.get(&node.name) {
            let known = self.gateways.get(&key).map_or(0, |gateway| gateway.node.incarnation);
            if known == node.incarnation {
                return Ok(key);
            }
            if known > node.incarnation {
                return Err(Refusal::Unknown);
            }
            self.remove_gateway(key, now_ms);
        }
        if self.gateways.len() >= self.limits.gateways_max {
            return Err(Refusal::Full);
        }
        self.last_key += 1;
        self.gateways.insert(self.last_key, Gateway { node: node.clone(), due: HashSet::new() });
        self.by_name.insert(node.name.clone(), self.last_key);
        Ok(self.last_key)
    }

    /// Forgets a gateway, its devices and its watches: it is gone.
    pub fn remove_gateway(&mut self, key: GatewayKey, now_ms: u64) {
        let Some(gateway) = self.gateways.remove(&key) else { return };
        if self.by_name.get(&gateway.node.name) == Some(&key) {
            self.by_name.remove(&gateway.node.name);
        }
        let mut concerned = Vec::new();
        for (person, entry) in &mut self.people {
            let before = (entry.devices.len(), entry.watchers.len());
            entry.devices.retain(|device| device.gateway != key);
            entry.watchers.retain(|watcher| watcher.gateway != key);
            self.counts.watches -= before.1 - entry.watchers.len();
            if before != (entry.devices.len(), entry.watchers.len()) {
                concerned.push(*person);
            }
        }
        for person in concerned {
            self.refresh(person, now_ms);
        }
    }

    /// The entry of a person, a new one if there is room.
    fn entry(&mut self, person: Person) -> Option<&mut Entry> {
        if !self.people.contains_key(&person) {
            if self.people.len() >= self.limits.people_max {
                self.counts.refused += 1;
                return None;
            }
            self.version += 1;
            self.people.insert(person, Box::new(Entry::new(self.version)));
        }
        self.people.get_mut(&person).map(Box::as_mut)
    }

    /// Takes what a gateway has of a person.
    pub fn report(&mut self, key: GatewayKey, report: PresenceReport, now_ms: u64) -> Reply {
        let until_ms = now_ms.saturating_add(self.limits.lease_ms);
        let idle_ms = u64::try_from(report.idle.as_millis()).unwrap_or(u64::MAX);
        let activity_ms = signed(now_ms).saturating_sub_unsigned(idle_ms);
        // Nobody needs to remember that somebody is not there whom nobody knows.
        if report.sessions == 0 && !self.people.contains_key(&report.person) {
            return Reply::Ok;
        }
        let Some(entry) = self.entry(report.person) else { return Reply::Refused(Refusal::Full) };
        if entry.manual.is_none_or(|known| known.seq <= report.manual.seq) {
            entry.manual = Some(report.manual);
        }
        let fresh = Device {
            gateway: key,
            revision: report.revision,
            sessions: report.sessions,
            activity_ms,
            always: report.always,
            until_ms,
        };
        match entry.devices.iter_mut().find(|device| device.gateway == key) {
            Some(device) if device.revision >= report.revision => {}
            Some(device) => *device = fresh,
            None => entry.devices.push(fresh),
        }
        self.refresh(report.person, now_ms);
        Reply::Ok
    }

    /// Tells a gateway of a person from here on.
    pub fn watch(&mut self, key: GatewayKey, watch: Watch, now_ms: u64) -> Reply {
        let until_ms = now_ms.saturating_add(self.limits.lease_ms);
        let room = self.counts.watches < self.limits.watches_max;
        let Some(entry) = self.entry(watch.person) else { return Reply::Refused(Refusal::Full) };
        let wrong = watch.believes != Some(entry.active);
        match entry.watchers.iter_mut().find(|watcher| watcher.gateway == key) {
            Some(watcher) => {
                watcher.until_ms = until_ms;
                // What it believed when it asked may be overtaken by what is on its way there: that is told again
                // rather than not at all.
                if wrong {
                    watcher.told = None;
                }
            }
            None if room => {
                entry.watchers.push(Watcher { gateway: key, told: watch.believes, until_ms });
                self.counts.watches += 1;
            }
            None => {
                self.counts.refused += 1;
                self.refresh(watch.person, now_ms);
                return Reply::Refused(Refusal::Full);
            }
        }
        if wrong && let Some(gateway) = self.gateways.get_mut(&key) {
            gateway.due.insert(watch.person);
        }
        self.refresh(watch.person, now_ms);
        Reply::Ok
    }

    /// Stops telling a gateway of a person.
    pub fn unwatch(&mut self, key: GatewayKey, person: Person, now_ms: u64) {
        let Some(entry) = self.people.get_mut(&person) else { return };
        let before = entry.watchers.len();
        entry.watchers.retain(|watcher| watcher.gateway != key);
        self.counts.watches -= before - entry.watchers.len();
        if let Some(gateway) = self.gateways.get_mut(&key) {
            gateway.due.remove(&person);
        }
        self.refresh(person, now_ms);
    }

    /// A person did something that no gateway saw. Without a session that makes nobody active.
    pub fn touch(&mut self, person: Person, now_ms: u64) {
        if let Some(entry) = self.people.get_mut(&person) {
            entry.touched_ms = Some(signed(now_ms));
            self.refresh(person, now_ms);
        }
    }

    /// How a person is. `None`: the server is too new to call them away.
    #[must_use]
    pub fn query(&self, person: Person, now_ms: u64) -> Option<PresenceNow> {
        let now = self.people.get(&person).map_or_else(PresenceNow::default, |entry| {
            let on_device = entry.on_device(now_ms, self.limits.away_after_ms);
            let since = |at_ms: i64| Duration::from_millis(signed(now_ms).abs_diff(at_ms));
            PresenceNow {
                active: on_device && !entry.manual.is_some_and(|manual| manual.away),
                sessions: entry.connected().map(|device| device.sessions).fold(0, u32::saturating_add),
                on_device,
                idle: entry.activity_ms().map(since),
            }
        });
        (now.active || self.is_settled(now_ms)).then_some(now)
    }

    /// Whether gateways had time to tell the server what they have.
    #[must_use]
    pub fn is_settled(&self, now_ms: u64) -> bool {
        now_ms >= self.settled_ms
    }

    /// When [`State::tick`] has something to do.
    #[must_use]
    pub fn next_tick_ms(&self) -> Option<u64> {
        self.timers.first().map(|&(at_ms, _)| at_ms)
    }

    /// Lets time pass: devices become idle, leases lapse.
    pub fn tick(&mut self, now_ms: u64) {
        for _ in 0..TICK_PEOPLE_MAX {
            let Some(&(at_ms, person)) = self.timers.first().filter(|(at_ms, _)| *at_ms <= now_ms) else {
                return;
            };
            self.timers.remove(&(at_ms, person));
            if let Some(entry) = self.people.get_mut(&person) {
                entry.timer_ms = None;
            }
            self.refresh(person, now_ms);
        }
    }

    /// Brings a person up to date: what has lapsed goes, who must be told is noted.
    fn refresh(&mut self, person: Person, now_ms: u64) {
        let Some(entry) = self.people.get_mut(&person) else { return };
        entry.devices.retain(|device| device.until_ms > now_ms);
        let gateways = &mut self.gateways;
        let before = entry.watchers.len();
        entry.watchers.retain(|watcher| {
            let stays = watcher.until_ms > now_ms;
            if !stays && let Some(gateway) = gateways.get_mut(&watcher.gateway) {
                gateway.due.remove(&person);
            }
            stays
        });
        self.counts.watches -= before - entry.watchers.len();
        let manual = entry.manual.is_some_and(|manual| manual.away);
        let active = entry.on_device(now_ms, self.limits.away_after_ms) && !manual;
        if active != entry.active {
            self.version += 1;
            (entry.active, entry.version) = (active, self.version);
            self.counts.changes += 1;
            for watcher in &entry.watchers {
                let Some(gateway) = gateways.get_mut(&watcher.gateway) else { continue };
                if watcher.told == Some(active) {
                    // It was something else for a moment only.
                    gateway.due.remove(&person);
                } else {
                    gateway.due.insert(person);
                }
            }
        }
        let next_ms = entry.next_ms(now_ms, self.limits.away_after_ms);
        if entry.devices.is_empty() && entry.watchers.is_empty() {
            if let Some(at_ms) = entry.timer_ms {
                self.timers.remove(&(at_ms, person));
            }
            self.people.remove(&person);
        } else if let Some(next_ms) = next_ms
            // One that comes too early costs a look; one that is moved with every renewal costs more.
            && entry.timer_ms.is_none_or(|at_ms| at_ms > next_ms)
        {
            if let Some(at_ms) = entry.timer_ms.replace(next_ms) {
                self.timers.remove(&(at_ms, person));
            }
            self.timers.insert((next_ms, person));
        }
    }

    /// What a gateway must be told now, at most `most` people. What could not be delivered goes back with
    /// [`State::not_delivered`]; calls to a gateway follow one another.
    pub fn take_changes(&mut self, key: GatewayKey, most: usize, now_ms: u64) -> Vec<PresenceChange> {
        let settled = self.is_settled(now_ms);
        let Some(gateway) = self.gateways.get_mut(&key) else { return Vec::new() };
        let people = &mut self.people;
        let mut changes = Vec::new();
        gateway.due.retain(|person| {
            if changes.len() >= most {
                return true;
            }
            let Some(entry) = people.get_mut(person) else { return false };
            let watcher = entry.watchers.iter_mut().find(|watcher| watcher.gateway == key);
            let Some(watcher) = watcher else { return false };
            if !entry.active && !settled {
                return true;
            }
            watcher.told = Some(entry.active);
            changes.push(PresenceChange { person: *person, active: entry.active, version: entry.version });
            false
        });
        changes
    }

    /// It is not known whether the gateway has them: it is told again, with what is so by then.
    pub fn not_delivered(&mut self, key: GatewayKey, changes: &[PresenceChange]) {
        let Some(gateway) = self.gateways.get_mut(&key) else { return };
        for change in changes {
            let entry = self.people.get_mut(&change.person);
            let watcher = entry.and_then(|entry| entry.watchers.iter_mut().find(|it| it.gateway == key));
            if let Some(watcher) = watcher {
                watcher.told = None;
                gateway.due.insert(change.person);
            }
        }
    }

    /// The gateway of a number.
    #[must_use]
    pub fn node(&self, key: GatewayKey) -> Option<&NodeId> {
        self.gateways.get(&key).map(|gateway| &gateway.node)
    }

    /// Gateways that must be told something.
    pub fn due(&self) -> impl Iterator<Item = GatewayKey> {
        self.gateways.iter().filter(|(_, gateway)| !gateway.due.is_empty()).map(|(key, _)| *key)
    }

    /// All gateways.
    pub fn gateways(&self) -> impl Iterator<Item = (GatewayKey, &NodeId)> {
        self.gateways.iter().map(|(key, gateway)| (*key, &gateway.node))
    }

    /// How much it knows, and what it did since the last call.
    pub fn take_counts(&mut self) -> Counts {
        let counts = Counts { people: self.people.len(), ..self.counts };
        (self.counts.changes, self.counts.refused) = (0, 0);
        counts
    }
}

/// A time of the clock, to reckon with times before it began.
fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
