//! A loop's view of one topic: how far it is, what waits, who follows. No clock, task or socket.
//!
//! Every follower carries its own cursor. An event is written to a live follower exactly when its seq is
//! the cursor's next, so neither a second delivery, nor a follower that turns live in the middle of a
//! fan-out, nor one that moves in the table can make anybody see an event twice or miss one.

use std::collections::{BTreeMap, VecDeque};

use model::{Generation, Micros, Position, Seq, Topic};
use rpc::{Effect, EventRecord, Signal, SignalKind};

use crate::{
    arena::Index,
    frame::{self, BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Batch},
};

/// Early events kept until their predecessor comes. Full: further ones are dropped and read from `web`.
const HELD_EVENTS_MAX: usize = 256;
/// Typing signals that wait per topic. Full: the new one is shed.
const SIGNALS_MAX: usize = 64;
/// Events that may wait before a hole is read: reading more would only make the wait longer.
const REPAIR_PENDING_MAX: usize = 1_024;

/// How a session stands to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each event is written as it comes.
    Live,
    /// What it misses is being read.
    Catching,
    /// It was too slow and was told so; it waits for the client's `pull`.
    Behind,
}

/// One session that follows the topic: twelve bytes, as there is one for each session and each of its topics.
#[derive(Debug, Clone, Copy)]
pub struct Follower {
    /// The session.
    pub session: Index,
    /// The mode above [`SEQ_BITS`], the seq below: first the upper half, then the lower.
    state: [u32; 2],
}

/// Bits of a [`Seq`].
const SEQ_BITS: u32 = 53;

impl Follower {
    /// A session that has everything up to `sent`.
    #[must_use]
    pub fn new(session: Index, mode: Mode, sent: Seq) -> Self {
        let mut follower = Self { session, state: [0; 2] };
        follower.set(mode, sent);
        follower
    }

    /// How it stands.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.state() >> SEQ_BITS {
            0 => Mode::Live,
            1 => Mode::Catching,
            _ => Mode::Behind,
        }
    }

    /// Everything up to here was given to it. One that is [`Mode::Behind`] may not have got all of that.
    #[must_use]
    pub fn sent(&self) -> Seq {
        Seq::new(self.state() & Seq::MAX)
    }

    /// It stands so now.
    pub fn set_mode(&mut self, mode: Mode) {
        self.set(mode, self.sent());
    }

    /// It was given everything up to here.
    pub fn set_sent(&mut self, sent: Seq) {
        self.set(self.mode(), sent);
    }

    fn state(&self) -> u64 {
        let [high, low] = self.state;
        u64::from(high) << 32 | u64::from(low)
    }

    fn set(&mut self, mode: Mode, sent: Seq) {
        let mode: u64 = match mode {
            Mode::Live => 0,
            Mode::Catching => 1,
            Mode::Behind => 2,
        };
        let state = mode << SEQ_BITS | sent.raw();
        self.state =
            [state >> 32, state & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(u32::MAX));
    }
}

/// What became of a delivered event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It waits for the fan-out, with those that it made contiguous.
    Taken,
    /// The topic has it.
    Old,
    /// A predecessor is missing.
    Early,
    /// It belongs to a newer history of the topic.
    NewHistory,
}

/// An event that waits, and when it came in.
#[derive(Debug)]
pub struct Waiting {
    /// The event.
    pub event: EventRecord,
    /// When it came in.
    pub received: Micros,
}

/// Work in progress on a topic: what is written, and how many followers are left (they are served from
/// the end, so that removals and additions disturb nothing).
#[derive(Debug)]
pub struct Job {
    /// What is written.
    pub load: Load,
    /// Followers with a lower place are still to be served.
    pub cursor: usize,
    /// Sockets written so far.
    pub sockets: u32,
}

/// What a job writes.
#[derive(Debug)]
pub enum Load {
    /// Events, and when each came in.
    Events(Batch, Vec<Micros>),
    /// A signal.
    Signal(Signal),
}

/// The view.
#[derive(Debug)]
pub struct TopicView {
    topic: Topic,
    generation: Generation,
    /// Events up to here wait or were written.
    accepted: Seq,
    /// Fan-outs of events up to here were started.
    started: Seq,
    /// What the topic is known to have.
    known: Seq,
    pending: VecDeque<Waiting>,
    held: BTreeMap<Seq, Waiting>,
    signals: VecDeque<Signal>,
    /// A read of the hole is under way.
    pub repairing: bool,
    /// Failed reads of the hole in a row.
    pub repair_tries: u32,
    /// The followers.
    pub followers: Vec<Follower>,
    /// The fan-out under way.
    pub job: Option<Box<Job>>,
    /// It stands in the loop's queue of topics to work on.
    pub queued: bool,
    /// Since when nobody follows it, milliseconds of the loop's time.
    pub idle_since_ms: Option<u64>,
}

impl TopicView {
    /// A view that has everything up to `at`.
    #[must_use]
    pub fn new(topic: Topic, at: Position) -> Self {
        Self {
            topic,
            generation: at.generation,
            accepted: at.seq,
            started: at.seq,
            known: at.seq,
            pending: VecDeque::new(),
            held: BTreeMap::new(),
            signals: VecDeque::new(),
            repairing: false,
            repair_tries: 0,
            followers: Vec::new(),
            job: None,
            queued: false,
            idle_since_ms: None,
        }
    }

    /// Adds a follower.
    pub fn add(&mut self, follower: Follower) {
        if self.followers.len() == self.followers.capacity() {
            // By an eighth, not by half: a channel with everybody in it is the most of what an idle session costs.
            self.followers.reserve_exact((self.followers.len() / 8).max(4));
        }
        self.followers.push(follower);
    }

    /// Which topic.
    #[must_use]
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// Its history.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Up to where events were taken: what the loop has.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { generation: self.generation, seq: self.accepted }
    }

    /// A session that has everything up to here can be live: all later events are still to be written to
    /// every follower.
    #[must_use]
    pub fn started(&self) -> Seq {
        self.started
    }

    /// Events and signals that wait here.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.pending.len() + self.held.len() + self.signals.len()
    }

    /// Whether there is something to write that no job has begun.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.pending.is_empty() || !self.signals.is_empty()
    }

    /// Takes a delivered event.
    pub fn offer(&mut self, event: EventRecord, received: Micros) -> Offer {
        let at = event.position;
        if at.generation > self.generation {
            return Offer::NewHistory;
        }
        if at.generation < self.generation || at.seq <= self.accepted {
            return Offer::Old;
        }
        self.known = self.known.max(at.seq);
        if at.seq > self.accepted.next() {
            if self.held.len() < HELD_EVENTS_MAX {
                self.held.insert(at.seq, Waiting { event, received });
            }
            return Offer::Early;
        }
        self.push(Waiting { event, received });
        while let Some(next) = self.held.remove(&self.accepted.next()) {
            self.push(next);
        }
        Offer::Taken
    }

    /// Takes events that were read. What is held of the same places gives way: it is older than what was read, and may
    /// show what was deleted meanwhile, and even be an edit of a message that was read as nothing.
    pub fn fill(&mut self, events: Vec<EventRecord>, received: Micros) {
        for event in &events {
            self.held.remove(&event.seq());
        }
        for event in events {
            self.offer(event, received);
        }
    }

    fn push(&mut self, waiting: Waiting) {
        self.accepted = waiting.event.seq();
        self.pending.push_back(waiting);
    }

    /// Learns how far the topic is. Returns whether that is a newer history.
    pub fn announce(&mut self, head: Position) -> bool {
        if head.generation == self.generation {
            self.known = self.known.max(head.seq);
        }
        head.generation > self.generation
    }

    /// The position after which events must be read, if some are missing and reading makes sense now.
    #[must_use]
    pub fn hole(&self) -> Option<Position> {
        let missing = self.known > self.accepted && self.pending.len() < REPAIR_PENDING_MAX;
        (missing && !self.repairing).then(|| self.position())
    }

    /// Keeps a signal. Returns `false` when it was shed.
    pub fn signal(&mut self, signal: Signal) -> bool {
        if signal.kind == SignalKind::Typing && self.signals.len() >= SIGNALS_MAX {
            return false;
        }
        self.signals.push_back(signal);
        true
    }

    /// Starts the next fan-out, if none is under way and something waits. Events go before signals. A batch
    /// ends with an event that changes who follows, so that nothing after it was encoded for them.
    pub fn start_job(&mut self) -> bool {
        if self.job.is_some() {
            return true;
        }
        let mut events = Vec::new();
        let mut times = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.pending.front() {
            bytes += frame::weight(&next.event);
            let full = events.len() >= BATCH_EVENTS_MAX || bytes > BATCH_BYTES_MAX;
            if full && !events.is_empty() {
                break;
            }
            let Some(next) = self.pending.pop_front() else { break };
            let last = next.event.effect != Effect::None;
            times.push(next.received);
            events.push(next.event);
            if last {
                break;
            }
        }
        if self.pending.is_empty() {
            // Most topics are quiet most of the time: they hold no memory for what may come.
            self.pending = VecDeque::new();
        }
        let load = match (Batch::new(events), self.signals.is_empty()) {
            (Some(batch), _) => {
                self.started = batch.last();
                Load::Events(batch, times)
            }
            (None, false) => match self.signals.pop_front() {
                Some(signal) => Load::Signal(signal),
                None => return false,
            },
            (None, true) => return false,
        };
        self.job = Some(Box::new(Job { load, cursor: self.followers.len(), sockets: 0 }));
        true
    }

    /// Gives up what waits and is written, and goes on from `head`: the position could not be resumed.
    pub fn jump(&mut self, head: Position) {
        self.generation = head.generation;
        (self.accepted, self.started) = (head.seq, head.seq);
        self.known = head.seq;
        self.pending.clear();
        self.held.clear();
        self.job = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::event;

    fn view() -> TopicView {
        TopicView::new(event(0, "{}").topic, Position { generation: Generation::FIRST, seq: Seq::new(10) })
    }

    #[test]
    fn events_are_taken_in_order_once() {
        let mut view = view();
        for (seq, expect, position) in [
            (10, Offer::Old, 10),
            (11, Offer::Taken, 11),
            (11, Offer::Old, 11),
            (13, Offer::Early, 11),
            (14, Offer::Early, 11),
            (12, Offer::Taken, 14),
        ] {
            assert_eq!(view.offer(event(seq, "{}"), 0), expect, "{seq}");
            assert_eq!(view.position().seq, Seq::new(position), "{seq}");
        }
        assert!(view.hole().is_none());
        assert!(view.start_job());
        assert_eq!(view.started(), Seq::new(14));
    }

    #[test]
    fn a_hole_is_read_after_what_is_there() {
        let mut view = view();
        assert!(view.hole().is_none());
        view.offer(event(12, "{}"), 0);
        assert_eq!(view.hole().unwrap().seq, Seq::new(10));
        view.repairing = true;
        assert!(view.hole().is_none());
        view.repairing = false;
        view.offer(event(11, "{}"), 0);
        assert!(view.hole().is_none());
        assert!(!view.announce(Position { generation: Generation::FIRST, seq: Seq::new(20) }));
        assert_eq!(view.hole().unwrap().seq, Seq::new(12));
        assert!(view.announce(Position { generation: Generation(2), seq: Seq::new(1) }));
    }

    #[test]
    fn what_was_read_goes_before_what_was_held() {
        let mut view = view();
        for seq in [12, 13, 15] {
            assert_eq!(view.offer(event(seq, "{\"as\":\"it was\"}"), 0), Offer::Early);
        }
        view.fill((11..14).map(|seq| event(seq, "{\"as\":\"it is\"}")).collect(), 0);
        assert_eq!(view.position().seq, Seq::new(13));
        view.fill(vec![event(14, "{\"as\":\"it is\"}")], 0);
        let bodies = view.pending.iter().map(|waiting| waiting.event.body.as_ref());
        let expect =
            [b"{\"as\":\"it is\"}".as_slice(); 4].into_iter().chain([b"{\"as\":\"it was\"}".as_slice()]);
        assert!(bodies.eq(expect), "15 was not read");
    }

    #[test]
    fn a_batch_ends_with_a_change_of_followers_and_at_its_bounds() {
        let mut view = view();
        for seq in 11..60 {
            let mut next = event(seq, "{}");
            if seq == 13 {
                next.effect = Effect::MemberLeft(model::UserId::from_random(1));
            }
            view.offer(next, 0);
        }
        let mut ends = Vec::new();
        while view.start_job() {
            ends.push(view.started().raw());
            view.job = None;
        }
        assert_eq!(ends, [13, 45, 59]);
        let mut large = self::view();
        let body = format!("{{\"x\":\"{}\"}}", "x".repeat(BATCH_BYTES_MAX));
        for seq in 11..14 {
            large.offer(event(seq, &body), 0);
        }
        large.start_job();
        assert_eq!(large.started(), Seq::new(11));
    }

    #[test]
    fn a_follower_is_small_and_keeps_what_it_is_told() {
        assert_eq!(size_of::<Follower>(), 12);
        for seq in [0, 1, u64::from(u32::MAX), u64::from(u32::MAX) + 1, Seq::MAX] {
            for mode in [Mode::Live, Mode::Catching, Mode::Behind] {
                let mut follower = Follower::new(7, mode, Seq::new(seq));
                assert_eq!((follower.mode(), follower.sent()), (mode, Seq::new(seq)));
                follower.set_sent(Seq::new(3));
                assert_eq!((follower.mode(), follower.sent()), (mode, Seq::new(3)));
                follower.set_mode(Mode::Behind);
                assert_eq!(
                    (follower.mode(), follower.sent(), follower.session),
                    (Mode::Behind, Seq::new(3), 7)
                );
            }
        }
    }

    #[test]
    fn typing_is_shed_first() {
        let mut view = view();
        let signal = |kind| Signal { topic: view_topic(), kind, except: None, body: bytes::Bytes::new() };
        for _ in 0..SIGNALS_MAX {
            assert!(view.signal(signal(SignalKind::Typing)));
        }
        assert!(!view.signal(signal(SignalKind::Typing)));
        assert!(view.signal(signal(SignalKind::Ephemeral)));
    }

    fn view_topic() -> Topic {
        event(0, "{}").topic
    }
}
