//! The state by properties: whatever is lost, doubled, late or wiped on the way, once things are quiet what gateways
//! believe of those whom they watch is what is.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{NodeId, UserId, WorkspaceId};
use presence::state::{GatewayKey, Limits, State};
use proptest::prelude::*;
use rpc::{ManualAway, Person, PresenceChange, PresenceReport, Watch};

const AWAY_AFTER_MS: u64 = 10_000;
/// What is on its way longer than this has met its caller's deadline long ago.
const ON_THE_WAY_MS: u64 = 20_000;
const GATEWAYS: usize = 2;
const PEOPLE: u64 = 3;

fn person(number: u64) -> Person {
    Person { workspace: WorkspaceId::from_random(1), user: UserId::from_random(number) }
}

/// What happens. Gateways and people by number; messages on their way by place, modulo how many there are.
#[derive(Debug, Clone)]
enum Step {
    Connect(usize, u64),
    Disconnect(usize, u64),
    Act(usize, u64),
    Say(u64, bool),
    /// The gateway gets what the person last said.
    Hear(usize, u64),
    Watch(usize, u64),
    Unwatch(usize, u64),
    /// A message arrives, and may arrive again.
    Arrive(usize, bool),
    Lose(usize),
    /// The gateway is told, and takes it at once, later, never, or the server does not learn that it did.
    Tell(usize, Fate),
    /// A late call to a gateway arrives.
    TellLate(usize),
    Renew(usize),
    Pass(u64),
    /// The server is wiped, and another takes its place.
    Wipe,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Arrives,
    Lost,
    Late,
    Unanswered,
}

fn step() -> impl Strategy<Value = Step> {
    let (gateway, who) = (0..GATEWAYS, 0..PEOPLE);
    let pair = (gateway.clone(), who.clone());
    let fate = prop_oneof![Just(Fate::Arrives), Just(Fate::Lost), Just(Fate::Late), Just(Fate::Unanswered)];
    prop_oneof![
        3 => pair.clone().prop_map(|(g, p)| Step::Connect(g, p)),
        2 => pair.clone().prop_map(|(g, p)| Step::Disconnect(g, p)),
        3 => pair.clone().prop_map(|(g, p)| Step::Act(g, p)),
        2 => (who, any::<bool>()).prop_map(|(p, away)| Step::Say(p, away)),
        2 => pair.clone().prop_map(|(g, p)| Step::Hear(g, p)),
        3 => pair.clone().prop_map(|(g, p)| Step::Watch(g, p)),
        1 => pair.prop_map(|(g, p)| Step::Unwatch(g, p)),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(at, again)| Step::Arrive(at, again)),
        2 => any::<usize>().prop_map(Step::Lose),
        6 => (gateway.clone(), fate).prop_map(|(g, fate)| Step::Tell(g, fate)),
        2 => any::<usize>().prop_map(Step::TellLate),
        1 => gateway.prop_map(Step::Renew),
        3 => (0..7_000_u64).prop_map(Step::Pass),
        1 => Just(Step::Wipe),
    ]
}

/// A call of a gateway.
#[derive(Debug, Clone)]
enum Message {
    Report(PresenceReport),
    Watch(Watch),
    Unwatch(Person),
}

#[derive(Debug, Clone, Default)]
struct Own {
    sessions: u32,
    activity_ms: u64,
    manual: ManualAway,
}

#[derive(Debug, Default)]
struct Gateway {
    revision: u64,
    own: BTreeMap<Person, Own>,
    /// What it believes of those whom it watches, and how new that is.
    watched: BTreeMap<Person, (Option<bool>, (u64, u64))>,
}

impl Gateway {
    fn report(&mut self, who: Person, now_ms: u64) -> Message {
        self.revision += 1;
        let own = self.own.get(&who).cloned().unwrap_or_default();
        Message::Report(PresenceReport {
            person: who,
            revision: self.revision,
            sessions: own.sessions,
            idle: Duration::from_millis(now_ms - own.activity_ms),
            always: false,
            manual: own.manual,
        })
    }

    fn take(&mut self, epoch: u64, change: PresenceChange) {
        if let Some((believes, stamp)) = self.watched.get_mut(&change.person)
            && (epoch, change.version) >= *stamp
        {
            (*believes, *stamp) = (Some(change.active), (epoch, change.version));
        }
    }
}

struct World {
    state: State,
    epoch: u64,
    now_ms: u64,
    started_ms: u64,
    gateways: Vec<Gateway>,
    said: BTreeMap<Person, ManualAway>,
    /// Messages on their way: from whom, since when.
    on_the_way: Vec<(usize, u64, Message)>,
    /// Calls to gateways that come late.
    late: Vec<(usize, u64, u64, Vec<PresenceChange>)>,
}

impl World {
    fn new(limits: Limits) -> Self {
        let gateways = (0..GATEWAYS).map(|_| Gateway::default()).collect();
        let (now_ms, epoch) = (0, 1);
        let state = State::new(limits, 0);
        Self {
            state,
            epoch,
            now_ms,
            started_ms: 0,
            gateways,
            said: BTreeMap::new(),
            on_the_way: vec![],
            late: vec![],
        }
    }

    fn key(&mut self, gateway: usize) -> GatewayKey {
        let node = NodeId { name: format!("gateway/{gateway}"), incarnation: 1 };
        self.state.gateway(&node, self.server_ms()).unwrap()
    }

    /// The server's own clock starts with it.
    fn server_ms(&self) -> u64 {
        self.now_ms - self.started_ms
    }

    fn send(&mut self, gateway: usize, message: Message) {
        self.on_the_way.push((gateway, self.now_ms, message));
    }

    fn arrive(&mut self, gateway: usize, message: Message) {
        let (key, now_ms) = (self.key(gateway), self.server_ms());
        match message {
            Message::Report(report) => drop(self.state.report(key, report, now_ms)),
            Message::Watch(watch) => drop(self.state.watch(key, watch, now_ms)),
            Message::Unwatch(person) => self.state.unwatch(key, person, now_ms),
        }
    }

    fn change(&mut self, gateway: usize, who: u64, change: impl FnOnce(&mut Own, u64)) {
        let (who, now_ms) = (person(who), self.now_ms);
        let own = self.gateways[gateway].own.entry(who).or_default();
        change(own, now_ms);
        let report = self.gateways[gateway].report(who, now_ms);
        self.send(gateway, report);
    }

    fn renew(&mut self, gateway: usize) -> Vec<Message> {
        let now_ms = self.now_ms;
        let it = &mut self.gateways[gateway];
        let people: Vec<Person> = it.own.keys().copied().collect();
        let mut all: Vec<Message> = people.into_iter().map(|who| it.report(who, now_ms)).collect();
        all.extend(
            it.watched
                .iter()
                .map(|(who, (believes, _))| Message::Watch(Watch { person: *who, believes: *believes })),
        );
        all
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Connect(gateway, who) => self.change(gateway, who, |own, now_ms| {
                own.sessions += 1;
                own.activity_ms = now_ms;
            }),
            Step::Disconnect(gateway, who) => {
                self.change(gateway, who, |own, _| own.sessions = own.sessions.saturating_sub(1));
            }
            Step::Act(gateway, who) => self.change(gateway, who, |own, now_ms| {
                if own.sessions > 0 {
                    own.activity_ms = now_ms;
                }
            }),
            Step::Say(who, away) => {
                let said = self.said.entry(person(who)).or_default();
                *said = ManualAway { seq: said.seq.next(), away };
            }
            Step::Hear(gateway, who) => {
                let said = self.said.get(&person(who)).copied().unwrap_or_default();
                self.change(gateway, who, |own, _| own.manual = said);
            }
            Step::Watch(gateway, who) => {
                self.gateways[gateway].watched.entry(person(who)).or_default();
                self.send(gateway, Message::Watch(Watch { person: person(who), believes: None }));
            }
            Step::Unwatch(gateway, who) => {
                self.gateways[gateway].watched.remove(&person(who));
                self.send(gateway, Message::Unwatch(person(who)));
            }
            Step::Arrive(at, again) if !self.on_the_way.is_empty() => {
                let at = at % self.on_the_way.len();
                let (gateway, _, message) =
                    if again { self.on_the_way[at].clone() } else { self.on_the_way.swap_remove(at) };
                self.arrive(gateway, message);
            }
            Step::Lose(at) if !self.on_the_way.is_empty() => {
                let at = at % self.on_the_way.len();
                self.on_the_way.swap_remove(at);
            }
            Step::Tell(gateway, fate) => self.tell(gateway, fate),
            Step::TellLate(at) if !self.late.is_empty() => {
                let at = at % self.late.len();
                let (gateway, epoch, _, changes) = self.late.swap_remove(at);
                changes.into_iter().for_each(|change| self.gateways[gateway].take(epoch, change));
            }
            Step::Renew(gateway) => {
                for message in self.renew(gateway) {
                    self.send(gateway, message);
                }
            }
            Step::Pass(ms) => {
                self.now_ms += ms;
                let now_ms = self.now_ms;
                self.on_the_way.retain(|(_, since, _)| now_ms < since + ON_THE_WAY_MS);
                self.late.retain(|(_, _, since, _)| now_ms < since + ON_THE_WAY_MS);
                self.state.tick(self.server_ms());
            }
            Step::Wipe => {
                (self.epoch, self.started_ms) = (self.epoch + 1, self.now_ms);
                self.state = State::new(limits(), 0);
            }
            Step::Arrive(..) | Step::Lose(_) | Step::TellLate(_) => {}
        }
    }

    fn tell(&mut self, gateway: usize, fate: Fate) {
        let (key, now_ms) = (self.key(gateway), self.server_ms());
        let changes = self.state.take_changes(key, 2, now_ms);
        if fate != Fate::Lost && fate != Fate::Late {
            changes.iter().for_each(|change| self.gateways[gateway].take(self.epoch, *change));
        }
        if fate == Fate::Late {
            self.late.push((gateway, self.epoch, self.now_ms, changes.clone()));
        }
        if fate != Fate::Arrives {
            self.state.not_delivered(key, &changes);
        }
    }

    /// Everything that is on its way arrives in some order; everybody hears what was said, renews, and is told.
    fn settle(&mut self) {
        for (gateway, _, message) in std::mem::take(&mut self.on_the_way) {
            self.arrive(gateway, message);
        }
        for (gateway, epoch, _, changes) in std::mem::take(&mut self.late) {
            changes.into_iter().for_each(|change| self.gateways[gateway].take(epoch, change));
        }
        self.now_ms += limits().settle_ms;
        self.state.tick(self.server_ms());
        for gateway in 0..GATEWAYS {
            for who in 0..PEOPLE {
                let said = self.said.get(&person(who)).copied().unwrap_or_default();
                if let Some(own) = self.gateways[gateway].own.get_mut(&person(who)) {
                    own.manual = said;
                }
            }
            for message in self.renew(gateway) {
                self.arrive(gateway, message);
            }
        }
        self.tell_all();
    }

    fn tell_all(&mut self) {
        for gateway in 0..GATEWAYS {
            let key = self.key(gateway);
            while self.state.due().any(|due| due == key) {
                self.tell(gateway, Fate::Arrives);
            }
        }
    }

    fn truth(&self, who: Person) -> bool {
        let said = self.said.get(&who).copied().unwrap_or_default();
        let on_device = self.gateways.iter().filter_map(|it| it.own.get(&who)).filter(|own| own.sessions > 0);
        on_device.map(|own| own.activity_ms).max().is_some_and(|at| self.now_ms < at + AWAY_AFTER_MS)
            && !said.away
    }

    fn check(&mut self) {
        self.settle();
        self.compare();
    }

    fn compare(&self) {
        for (number, gateway) in self.gateways.iter().enumerate() {
            for (who, (believes, _)) in &gateway.watched {
                assert_eq!(*believes, Some(self.truth(*who)), "{who:?} at gateway {number}");
            }
        }
        for who in (0..PEOPLE).map(person) {
            let now = self.state.query(who, self.server_ms()).unwrap();
            let sessions: u32 =
                self.gateways.iter().filter_map(|it| it.own.get(&who)).map(|own| own.sessions).sum();
            assert_eq!((now.active, now.sessions), (self.truth(who), sessions), "{who:?}");
        }
    }
}

fn limits() -> Limits {
    Limits { away_after_ms: AWAY_AFTER_MS, lease_ms: 60_000, settle_ms: 500, ..Limits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Without losses nothing has to be told twice: what every gateway said once, in order, is enough.
    #[test]
    fn what_is_not_lost_needs_no_renewal(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new(Limits { lease_ms: 10_000_000, settle_ms: 0, ..limits() });
        for step in steps {
            match step {
                Step::Lose(_) | Step::Renew(_) | Step::Wipe => {}
                Step::Say(who, away) => {
                    world.run(Step::Say(who, away));
                    (0..GATEWAYS).for_each(|gateway| world.run(Step::Hear(gateway, who)));
                }
                Step::Connect(gateway, who) => {
                    world.run(Step::Connect(gateway, who));
                    world.run(Step::Hear(gateway, who));
                }
                // In order, and at once as to time: a report says how old it is when it is sent.
                Step::Arrive(..) | Step::Pass(_) => {
                    for (gateway, _, message) in std::mem::take(&mut world.on_the_way) {
                        world.arrive(gateway, message);
                    }
                    world.run(step);
                }
                step => world.run(step),
            }
        }
        for (gateway, _, message) in std::mem::take(&mut world.on_the_way) {
            world.arrive(gateway, message);
        }
        world.tell_all();
        for (gateway, epoch, _, changes) in std::mem::take(&mut world.late) {
            changes.into_iter().for_each(|change| world.gateways[gateway].take(epoch, change));
        }
        world.compare();
    }

    #[test]
    fn once_quiet_who_watches_believes_what_is(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(limits());
        for (number, step) in steps.into_iter().enumerate() {
            world.run(step);
            if number % 25 == 24 {
                world.check();
            }
        }
        world.check();
        // Then everybody is gone, and nothing is left.
        for gateway in 0..GATEWAYS {
            let watched: Vec<Person> = world.gateways[gateway].watched.keys().copied().collect();
            for who in watched {
                world.arrive(gateway, Message::Unwatch(who));
            }
        }
        let end_ms = world.server_ms() + 200_000;
        for _ in 0..10 {
            world.state.tick(end_ms);
        }
        let counts = world.state.take_counts();
        prop_assert_eq!((counts.people, counts.watches, world.state.next_tick_ms()), (0, 0, None));
    }
}
