//! A topic under everything that can happen to it: each listener ends with the exact log, in order.

use std::collections::BTreeMap;

use channel::topic::{GatewayKey, Topic, TopicLimits, Wants};
use model::{Generation, Position, Seq};
use proptest::prelude::*;
use rpc::{Delivery, EventRecord};

use crate::world::{Sent, event, topic};

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    /// The store commits an event; nothing is published.
    Commit,
    /// An event that was committed at some time is published, perhaps again.
    Publish(prop::sample::Index),
    /// The newest event is published.
    PublishNewest,
    /// A gateway subscribes from what it has.
    Subscribe(GatewayKey),
    /// A gateway that has read the log up to somewhere subscribes.
    SubscribeAt(GatewayKey, prop::sample::Index),
    Unsubscribe(GatewayKey),
    /// The sweep says how far the log goes.
    Announce,
    /// `web` is asked; its answer is applied by a later step.
    Ask,
    Answer,
    Trim,
    /// The log is restored to an earlier place, as a new generation.
    Restore(prop::sample::Index),
    /// Memory is spent, or free again.
    KeepNothing(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let gateway = 1..4_u32;
    let step = prop_oneof![
        8 => Just(Step::Commit),
        6 => index().prop_map(Step::Publish),
        6 => Just(Step::PublishNewest),
        3 => gateway.clone().prop_map(Step::Subscribe),
        2 => (gateway.clone(), index()).prop_map(|(gateway, at)| Step::SubscribeAt(gateway, at)),
        1 => gateway.prop_map(Step::Unsubscribe),
        2 => Just(Step::Announce),
        4 => Just(Step::Ask),
        4 => Just(Step::Answer),
        1 => Just(Step::Trim),
        1 => index().prop_map(Step::Restore),
        1 => any::<bool>().prop_map(Step::KeepNothing),
    ];
    prop::collection::vec(step, 1..120)
}

/// The log, as `web` would read it.
#[derive(Debug, Clone)]
struct Store {
    generation: Generation,
    log: Vec<String>,
    /// Every event that was ever committed, for late publishing.
    committed: Vec<EventRecord>,
}

impl Store {
    fn position(&self, events: usize) -> Position {
        Position { generation: self.generation, seq: Seq::new(events as u64) }
    }

    fn head(&self) -> Position {
        self.position(self.log.len())
    }

    fn commit(&mut self) {
        let body = format!("event {}", self.committed.len());
        self.log.push(body.clone());
        self.committed.push(event(topic(1), self.head(), &body));
    }
}

/// An answer of `web` that is under way.
#[derive(Debug)]
enum Asked {
    Head(Position),
    Events(Position, Vec<EventRecord>, Position),
    Reset(Position, Position),
}

/// A gateway and what it knows of the log.
#[derive(Debug, Default)]
struct Gateway {
    position: Option<Position>,
    log: Vec<String>,
    listens: bool,
}

impl Gateway {
    fn read(&mut self, store: &Store, events: usize) {
        self.log = store.log[..events].to_vec();
        self.position = Some(store.position(events));
    }

    fn take(&mut self, delivery: Delivery, store: &Store) -> Result<(), TestCaseError> {
        prop_assert!(self.listens, "a delivery to a gateway that does not listen");
        let has = self.position.unwrap();
        match delivery {
            Delivery::Event(event) if event.position <= has => {}
            Delivery::Event(event) => {
                let next = Position { seq: has.seq.next(), ..has };
                prop_assert_eq!(event.position, next, "a hole without a head");
                self.log.push(String::from_utf8(event.body.to_vec()).unwrap());
                self.position = Some(next);
            }
            Delivery::Head(head) if head.position <= has => {}
            Delivery::Head(head) => {
                prop_assert!(head.position <= store.head(), "a head that never was");
                self.read(store, store.log.len());
            }
            Delivery::Signal(_) => prop_assert!(false, "nobody sent a signal"),
        }
        Ok(())
    }
}

struct Run {
    store: Store,
    topic: Topic,
    limits: TopicLimits,
    keep: TopicLimits,
    gateways: BTreeMap<GatewayKey, Gateway>,
    asked: Option<Asked>,
    sent: Sent,
}

impl Run {
    fn new(keep: TopicLimits) -> Self {
        Self {
            store: Store { generation: Generation::FIRST, log: Vec::new(), committed: Vec::new() },
            topic: Topic::new(topic(1)),
            limits: keep,
            keep,
            gateways: (1..4).map(|gateway| (gateway, Gateway::default())).collect(),
            asked: None,
            sent: Sent::default(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Commit => self.store.commit(),
            Step::Publish(index) if !self.store.committed.is_empty() => {
                let event = index.get(&self.store.committed).clone();
                self.topic.publish(event, &self.limits, &mut self.sent);
            }
            Step::PublishNewest if !self.store.committed.is_empty() => {
                let event = self.store.committed.last().unwrap().clone();
                self.topic.publish(event, &self.limits, &mut self.sent);
            }
            Step::Publish(_) | Step::PublishNewest => {}
            Step::Subscribe(gateway) => {
                let store = &self.store;
                let state = self.gateways.get_mut(gateway).unwrap();
                if state.position.is_none() {
                    state.read(store, store.log.len());
                }
                state.listens = true;
                self.topic.subscribe(*gateway, state.position.unwrap(), &mut self.sent);
            }
            Step::SubscribeAt(gateway, index) => {
                let events = index.index(self.store.log.len() + 1);
                let state = self.gateways.get_mut(gateway).unwrap();
                state.read(&self.store, events);
                state.listens = true;
                self.topic.subscribe(*gateway, state.position.unwrap(), &mut self.sent);
            }
            Step::Unsubscribe(gateway) => {
                self.topic.unsubscribe(*gateway);
                self.gateways.get_mut(gateway).unwrap().listens = false;
            }
            Step::Announce => self.topic.announce(self.store.head()),
            Step::Ask => self.ask(2),
            Step::Answer => self.answer(),
            Step::Trim => self.topic.trim(),
            Step::Restore(index) => {
                self.store.log.truncate(index.index(self.store.log.len() + 1));
                self.store.generation.0 += 1;
            }
            Step::KeepNothing(nothing) => {
                self.limits = if *nothing { self.keep.nothing_kept() } else { self.keep };
            }
        }
        for (gateway, delivery) in self.sent.0.drain(..) {
            self.gateways.get_mut(&gateway).unwrap().take(delivery, &self.store)?;
        }
        Ok(())
    }

    fn ask(&mut self, limit: usize) {
        let head = self.store.head();
        self.asked = match self.topic.wants() {
            Wants::Nothing => None,
            Wants::Head => Some(Asked::Head(head)),
            Wants::Events { after } if after.generation != head.generation || after > head => {
                Some(Asked::Reset(after, head))
            }
            Wants::Events { after } => {
                let from = usize::try_from(after.seq.raw()).unwrap();
                let bodies = self.store.log.iter().enumerate().skip(from).take(limit);
                let page = bodies.map(|(index, body)| event(topic(1), self.store.position(index + 1), body));
                Some(Asked::Events(after, page.collect(), head))
            }
        };
    }

    fn answer(&mut self) {
        match self.asked.take() {
            None => {}
            Some(Asked::Head(head)) => self.topic.learn(head, &self.limits, &mut self.sent),
            Some(Asked::Events(after, events, head)) => {
                self.topic.fill(after, events, head, &self.limits, &mut self.sent);
            }
            Some(Asked::Reset(after, head)) => {
                self.topic.reset(after, head, &self.limits, &mut self.sent);
            }
        }
    }

    /// The sweep comes by, and what the topic wants is answered.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        self.step(&Step::Answer)?;
        self.step(&Step::Announce)?;
        for _ in 0..=self.store.committed.len() + 4 {
            if self.topic.wants() == Wants::Nothing {
                break;
            }
            self.step(&Step::Ask)?;
            self.step(&Step::Answer)?;
        }
        prop_assert_eq!(self.topic.wants(), Wants::Nothing);
        prop_assert_eq!(self.topic.head(), Some(self.store.head()));
        for (name, gateway) in self.gateways.iter().filter(|(_, gateway)| gateway.listens) {
            prop_assert_eq!(gateway.position, Some(self.store.head()), "gateway {}", name);
            prop_assert_eq!(&gateway.log, &self.store.log, "gateway {}", name);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Publishes are lost, repeated and reordered; answers of `web` are late; gateways come and go;
    /// the log is restored. No gateway ever sees a hole without a head or an event twice, and after the
    /// next sweep each has the log.
    #[test]
    fn every_listener_ends_with_the_log(
        steps in steps(),
        history_events_max in 0_usize..6,
        early_events_max in 0_usize..5,
        hole_events_max in 1_u64..8,
    ) {
        let limits = TopicLimits {
            history_events_max, early_events_max, hole_events_max, ..TopicLimits::default()
        };
        let mut run = Run::new(limits);
        for step in &steps {
            run.step(step)?;
            let kept = run.topic.bytes() / size_of::<EventRecord>();
            prop_assert!(kept <= history_events_max + early_events_max, "kept {kept}");
        }
        run.settle()?;
    }
}
