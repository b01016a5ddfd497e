//! One live topic: its head, what was said lately, what came too early, and who listens.
//!
//! A plain struct without clock, task or socket. Whatever arrives, in whatever order and however often,
//! each listener is given every event once and in the order of positions, or is told by a
//! [`Delivery::Head`] to read up to there. What is missing here is read from `web` by the shell
//! ([`crate::host`]), which asks [`Topic::wants`] after each change.

use std::collections::VecDeque;

use model::{Head, Position, Seq};
use rpc::{Delivery, EventRecord, Signal};
use smallvec::SmallVec;

/// A gateway, by the number that the host gave it.
pub type GatewayKey = u32;

/// Bounds of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicLimits {
    /// Events of recent history kept for subscribers that come back. Older ones are dropped: who needs
    /// them gets a [`Delivery::Head`].
    pub history_events_max: usize,
    /// Bytes of recent history kept; likewise.
    pub history_bytes_max: usize,
    /// Events held until their predecessor arrives. The latest beyond that are dropped and read later.
    pub early_events_max: usize,
    /// Bytes of such events; likewise.
    pub early_bytes_max: usize,
    /// Longest hole that is filled event by event; over a longer one listeners get a [`Delivery::Head`].
    pub hole_events_max: u64,
}

impl Default for TopicLimits {
    fn default() -> Self {
        Self {
            history_events_max: 128,
            history_bytes_max: 256 << 10,
            early_events_max: 256,
            early_bytes_max: 256 << 10,
            hole_events_max: 1_000,
        }
    }
}

impl TopicLimits {
    /// Keeps nothing: for a host whose memory is spent.
    #[must_use]
    pub fn nothing_kept(self) -> Self {
        Self { history_events_max: 0, early_events_max: 0, ..self }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It, and perhaps held ones after it, went to the listeners.
    Sent,
    /// It was there already.
    Known,
    /// It waits for its predecessor.
    Held,
    /// It could not be held; the topic wants to read it later.
    Dropped,
}

/// What a topic needs from `web` to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Nothing.
    Nothing,
    /// Its head: it is not known yet.
    Head,
    /// The events after its head.
    Events {
        /// The head.
        after: Position,
    },
}

/// Where deliveries go. Called in order, and never waits.
pub trait Deliver {
    /// Queues a delivery for a gateway.
    fn deliver(&mut self, gateway: GatewayKey, delivery: Delivery);
}

/// A live topic.
#[derive(Debug)]
pub struct Topic {
    id: model::Topic,
    /// The last event that went to the listeners; `None`: not learned yet, so nothing goes to anybody.
    head: Option<Position>,
    /// The largest position that is known to exist. Larger than the head: something is missing.
    exists: Position,
    /// Nothing in a topic in which nothing happens: of those there are many more than of others.
    kept: Option<Box<Kept>>,
    /// Mostly one: a gateway listens to a topic once, for however many sessions.
    listeners: SmallVec<[Listener; 1]>,
}

/// The events that a topic keeps.
#[derive(Debug, Default)]
struct Kept {
    /// Events without a hole, the last of which is the head. May be empty.
    history: VecDeque<EventRecord>,
    /// Events that cannot be passed on yet, sorted, without repetition.
    early: VecDeque<EventRecord>,
    history_bytes: usize,
    early_bytes: usize,
}

/// A gateway and what it has. Once the head is known, it has the head or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listener {
    gateway: GatewayKey,
    has: Position,
}

/// Memory that an event takes while it is kept.
fn size(event: &EventRecord) -> usize {
    size_of::<EventRecord>() + event.body.len() + event.extra.len()
}

impl Topic {
    /// A topic of which nothing is known.
    #[must_use]
    pub fn new(id: model::Topic) -> Self {
        Self { id, head: None, exists: Position::START, kept: None, listeners: SmallVec::new() }
    }

    /// The last event that went to the listeners; `None` until it was learned.
    #[must_use]
    pub fn head(&self) -> Option<Position> {
        self.head
    }

    /// The place of the head; 0 until it was learned.
    #[must_use]
    pub fn have(&self) -> Seq {
        self.head.map_or(Seq::ZERO, |head| head.seq)
    }

    /// Bytes of the events that it keeps.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.history_bytes + kept.early_bytes)
    }

    /// What it needs to go on.
    #[must_use]
    pub fn wants(&self) -> Wants {
        match self.head {
            None => Wants::Head,
            Some(after) if self.exists > after => Wants::Events { after },
            Some(_) => Wants::Nothing,
        }
    }

    /// The gateways that listen.
    pub fn gateways(&self) -> impl Iterator<Item = GatewayKey> + '_ {
        self.listeners.iter().map(|listener| listener.gateway)
    }

    /// Takes an event from wherever it comes: `admin`, a second `admin`, or a read.
    pub fn publish(&mut self, event: EventRecord, limits: &TopicLimits, out: &mut impl Deliver) -> Published {
        let at = event.position;
        let Some(head) = self.head else { return self.hold(event, limits) };
        if at <= head {
            return Published::Known;
        }
        if at != after(head) {
            return self.hold(event, limits);
        }
        self.pass_on(event, limits, out);
        self.pass_on_early(limits, out);
        Published::Sent
    }

    /// Learns that a position exists.
    pub fn announce(&mut self, position: Position) {
        self.exists = self.exists.max(position);
    }

    /// Learns the head. From here on events go to the listeners.
    pub fn learn(&mut self, head: Position, limits: &TopicLimits, out: &mut impl Deliver) {
        if self.head.is_some() {
            self.announce(head);
            return;
        }
        self.head = Some(head);
        self.announce(head);
        // Of what was held, events that lead up to the head without a hole are history.
        while let Some(event) = self.pop_early(|at| at <= head) {
            if self.last_of_history().is_some_and(|last| after(last) != event.position) {
                self.forget_history();
            }
            self.remember(event, limits);
        }
        if self.last_of_history().is_some_and(|last| last != head) {
            self.forget_history();
        }
        for index in 0..self.listeners.len() {
            self.catch_up(index, out);
        }
        self.pass_on_early(limits, out);
    }

    /// Takes the answer to [`Wants::Events`]: the events after `asked`, without a hole, and the head when
    /// they were read. Returns whether the topic came forward.
    pub fn fill(
        &mut self,
        asked: Position,
        events: Vec<EventRecord>,
        head: Position,
        limits: &TopicLimits,
        out: &mut impl Deliver,
    ) -> bool {
        let Some(before) = self.head else { return false };
        self.announce(head);
        if head.generation == before.generation
            && head.seq.raw() > before.seq.raw().saturating_add(limits.hole_events_max)
        {
            self.jump(head, limits, out);
        } else if asked.generation == before.generation {
            self.forget_early(&events);
            for event in events {
                self.publish(event, limits, out);
            }
        }
        self.head != Some(before)
    }

    /// Takes the other answer to [`Wants::Events`]: `asked` leads nowhere, the topic is at `head` (it was
    /// restored, or trimmed). Returns whether the topic moved.
    pub fn reset(
        &mut self,
        asked: Position,
        head: Position,
        limits: &TopicLimits,
        out: &mut impl Deliver,
    ) -> bool {
        // An answer that was overtaken by events may be older than they are.
        let moves = self.head == Some(asked) || self.head.is_some_and(|now| now < head);
        if moves {
            // It is the store's word, even where it goes back.
            self.exists = head;
            self.jump(head, limits, out);
        }
        moves
    }

    /// Gives up on what is said to exist beyond the head and was never found.
    pub fn give_up(&mut self) {
        if let Some(head) = self.head {
            self.exists = head;
            if let Some(kept) = &mut self.kept {
                kept.early.clear();
                kept.early_bytes = 0;
            }
        }
    }

    /// Lets a gateway listen from after a position on, or moves it there.
    pub fn subscribe(&mut self, gateway: GatewayKey, has: Position, out: &mut impl Deliver) {
        let index = self.listeners.iter().position(|listener| listener.gateway == gateway);
        let index = index.unwrap_or_else(|| {
            // Where there are several there are few: room for more would be spent in every topic.
            self.listeners.reserve_exact(1);
            self.listeners.push(Listener { gateway, has });
            self.listeners.len() - 1
        });
        if let Some(listener) = self.listeners.get_mut(index) {
            listener.has = has;
        }
        if self.head.is_some() {
            self.catch_up(index, out);
        }
    }

    /// Lets a gateway no longer listen.
    pub fn unsubscribe(&mut self, gateway: GatewayKey) {
        self.listeners.retain(|listener| listener.gateway != gateway);
    }

    /// Keeps only the listeners that `stays` says yes to.
    pub fn retain(&mut self, stays: impl Fn(GatewayKey) -> bool) {
        self.listeners.retain(|listener| stays(listener.gateway));
    }

    /// Passes a signal to every listener.
    pub fn signal(&self, signal: &Signal, out: &mut impl Deliver) {
        for listener in &self.listeners {
            out.deliver(listener.gateway, Delivery::Signal(signal.clone()));
        }
    }

    /// Gives back the memory of a topic in which nothing happens. What leads up to the head is gone then:
    /// who comes back with an older position gets a [`Delivery::Head`].
    pub fn trim(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.history = VecDeque::new();
            kept.history_bytes = 0;
            kept.early.shrink_to_fit();
        }
        self.kept.take_if(|kept| kept.early.is_empty());
        self.listeners.shrink_to_fit();
    }

    /// Brings a listener to the head, by events if history reaches back to what it has.
    fn catch_up(&mut self, index: usize, out: &mut impl Deliver) {
        let (Some(head), Some(listener)) = (self.head, self.listeners.get_mut(index)) else { return };
        if listener.has >= head {
            // What it has was read from the store, so it exists.
            self.exists = self.exists.max(listener.has);
            return;
        }
        let (gateway, next) = (listener.gateway, after(listener.has));
        listener.has = head;
        let history = self.kept.as_ref().map(|kept| &kept.history);
        if let Some(history) = history
            .filter(|history| history.front().is_some_and(|first| first.position <= next))
            .filter(|_| next.generation == head.generation)
        {
            for event in history.iter().filter(|event| event.position >= next) {
                out.deliver(gateway, Delivery::Event(event.clone()));
            }
        } else {
            out.deliver(gateway, Delivery::Head(Head { topic: self.id, position: head }));
        }
    }

    /// Makes the event the head and gives it to whoever does not have it.
    fn pass_on(&mut self, event: EventRecord, limits: &TopicLimits, out: &mut impl Deliver) {
        let at = event.position;
        self.head = Some(at);
        self.announce(at);
        for listener in &mut self.listeners {
            if listener.has < at {
                listener.has = at;
                out.deliver(listener.gateway, Delivery::Event(event.clone()));
            }
        }
        self.remember(event, limits);
    }

    /// Passes on what was held and has its predecessor now; drops what is known meanwhile.
    fn pass_on_early(&mut self, limits: &TopicLimits, out: &mut impl Deliver) {
        let Some(mut head) = self.head else { return };
        while let Some(event) = self.pop_early(|at| at <= after(head)) {
            if event.position == after(head) {
                head = event.position;
                self.pass_on(event, limits, out);
            }
        }
    }

    /// Goes to a head over a hole: every listener that does not have it is told to read up to there.
    fn jump(&mut self, head: Position, limits: &TopicLimits, out: &mut impl Deliver) {
        self.forget_history();
        let back = self.head > Some(head);
        self.head = Some(head);
        for listener in &mut self.listeners {
            if listener.has < head || back {
                listener.has = head;
                let delivery = Delivery::Head(Head { topic: self.id, position: head });
                out.deliver(listener.gateway, delivery);
            }
        }
        if let Some(last) = self.kept.as_ref().and_then(|kept| kept.early.back()) {
            self.exists = self.exists.max(last.position);
        }
        self.pass_on_early(limits, out);
    }

    fn hold(&mut self, event: EventRecord, limits: &TopicLimits) -> Published {
        self.announce(event.position);
        let kept = self.kept.get_or_insert_default();
        let place = kept.early.partition_point(|held| held.position < event.position);
        if kept.early.get(place).is_some_and(|held| held.position == event.position) {
            return Published::Known;
        }
        let last = place == kept.early.len();
        kept.early_bytes += size(&event);
        kept.early.insert(place, event);
        // What is nearest to the head is worth most.
        let mut dropped = false;
        while kept.early.len() > limits.early_events_max || kept.early_bytes > limits.early_bytes_max {
            let Some(event) = kept.early.pop_back() else { break };
            kept.early_bytes -= size(&event);
            dropped = true;
        }
        if dropped && last { Published::Dropped } else { Published::Held }
    }

    fn pop_early(&mut self, take: impl FnOnce(Position) -> bool) -> Option<EventRecord> {
        let kept = self.kept.as_mut()?;
        if !kept.early.front().is_some_and(|event| take(event.position)) {
            return None;
        }
        let event = kept.early.pop_front()?;
        kept.early_bytes -= size(&event);
        if kept.early.is_empty() {
            kept.early = VecDeque::new();
        }
        Some(event)
    }

    /// Forgets what is held of the places that were read, which have no hole. It is older than what was read, and may show
    /// what was deleted meanwhile, and even be an edit of a message that was read as nothing.
    fn forget_early(&mut self, read: &[EventRecord]) {
        let (Some(first), Some(last)) = (read.first(), read.last()) else { return };
        let Some(kept) = &mut self.kept else { return };
        let places = first.position..=last.position;
        kept.early.retain(|held| !places.contains(&held.position));
        kept.early_bytes = kept.early.iter().map(size).sum();
    }

    fn remember(&mut self, event: EventRecord, limits: &TopicLimits) {
        let kept = self.kept.get_or_insert_default();
        kept.history_bytes += size(&event);
        kept.history.push_back(event);
        while kept.history.len() > limits.history_events_max || kept.history_bytes > limits.history_bytes_max
        {
            let Some(event) = kept.history.pop_front() else { break };
            kept.history_bytes -= size(&event);
        }
    }

    fn last_of_history(&self) -> Option<Position> {
        Some(self.kept.as_ref()?.history.back()?.position)
    }

    fn forget_history(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.history.clear();
            kept.history_bytes = 0;
        }
    }
}

/// The position after another in the same history.
fn after(position: Position) -> Position {
    Position { seq: position.seq.next(), ..position }
}
