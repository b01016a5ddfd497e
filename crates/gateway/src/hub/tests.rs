//! The hub against a model: any order of deliveries, losses, reads, joins, leaves, slow readers and
//! reconnects gives every session every event once, in order, and nothing after its removal.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{self, ErrorKind, IoSlice},
    rc::Rc,
};

use model::{
    ChannelId, CredentialId, Generation, Head, Position, Seq, SessionId, Topic, TopicId, TraceId, UserId,
    WorkspaceId, WriteTimes,
};
use proptest::prelude::*;
use rpc::{
    Actor, Audience, Boot, CallError, Delivery, Effect, EventRecord, EventsPage, EventsRequest, ManualAway,
    Protocol, Signal, SignalKind,
};
use serde_json::Value;

use super::{Ask, Hub, Limits};
use crate::{codec::Message, outbox::Sink, session::SessionKey};

const USERS: u64 = 3;
const CHANNELS: u64 = 2;

/// One direction of a connection: the hub writes, the client takes when it likes.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipe(pub(super) Rc<RefCell<PipeState>>);

#[derive(Debug, Default)]
pub(super) struct PipeState {
    pub(super) room: usize,
    pub(super) bytes: VecDeque<u8>,
}

impl Sink for Pipe {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        let count = bytes.len().min(state.room);
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        state.room -= count;
        state.bytes.extend(&bytes[..count]);
        Ok(count)
    }

    fn try_write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(&buffers.iter().flat_map(|buffer| buffer.to_vec()).collect::<Vec<u8>>())
    }
}

pub(super) fn workspace() -> WorkspaceId {
    WorkspaceId::from_random(1)
}
pub(super) fn user(number: u64) -> UserId {
    UserId::from_random(100 + number)
}
fn channel(number: u64) -> ChannelId {
    ChannelId::from_random(200 + number)
}
fn topic(id: TopicId) -> Topic {
    Topic { workspace: workspace(), id }
}
fn at(seq: u64) -> Position {
    Position { generation: Generation::FIRST, seq: Seq::new(seq) }
}

/// The truth: the logs of all topics, and who is in which channel.
#[derive(Default)]
struct Store {
    logs: BTreeMap<TopicId, Vec<EventRecord>>,
    trimmed: BTreeMap<TopicId, u64>,
    members: BTreeSet<(u64, u64)>,
}

impl Store {
    fn head(&self, id: TopicId) -> u64 {
        self.logs.get(&id).map_or(0, |log| log.len() as u64)
    }

    fn append(&mut self, id: TopicId, effect: Effect, audience: Audience, origin: Option<SessionId>) -> u64 {
        let seq = self.head(id) + 1;
        // Every seventh event has nothing to show.
        let body = if seq.is_multiple_of(7) {
            String::new()
        } else {
            format!(r#"{{"type":"x","topic":"{id}","n":{seq}}}"#)
        };
        self.logs.entry(id).or_default().push(EventRecord {
            topic: topic(id),
            position: at(seq),
            audience,
            effect,
            origin,
            trace: TraceId::default(),
            times: WriteTimes::default(),
            body: body.into(),
            extra: bytes::Bytes::new(),
        });
        seq
    }

    fn change(&mut self, who: u64, place: u64) {
        let (person, room) = (user(who), channel(place));
        let joins = !self.members.contains(&(who, place));
        let effect = if joins { Effect::MemberJoined(person) } else { Effect::MemberLeft(person) };
        let seq = self.append(TopicId::Channel(room), effect, Audience::ALL, None);
        let effect = if joins {
            self.members.insert((who, place));
            Effect::Joined { channel: room, at: at(seq) }
        } else {
            self.members.remove(&(who, place));
            Effect::Left { channel: room, at: at(seq) }
        };
        self.append(TopicId::User(person), effect, Audience::ALL, None);
    }

    fn topics_of(&self, who: u64) -> Vec<TopicId> {
        let rooms = self.members.iter().filter(|(member, _)| *member == who);
        let mut topics: Vec<_> = rooms.map(|&(_, place)| TopicId::Channel(channel(place))).collect();
        topics.push(TopicId::User(user(who)));
        topics.push(TopicId::Workspace(workspace()));
        topics
    }

    fn read(&self, request: EventsRequest) -> EventsPage {
        let (id, after) = (request.topic.id, request.after.seq.raw());
        let head = self.head(id);
        if after > head || after < self.trimmed.get(&id).copied().unwrap_or(0) {
            return EventsPage::Reset { head: at(head) };
        }
        let log = self.logs.get(&id).map_or(&[][..], Vec::as_slice);
        let events =
            log.iter().skip(usize::try_from(after).unwrap()).take(request.limit.min(5) as usize).cloned();
        EventsPage::Events { events: events.collect(), head: at(head) }
    }
}

/// A client as `docs/api/realtime.md` wants it, that fails when the server breaks a promise.
struct Client {
    who: u64,
    class: u8,
    session: SessionId,
    protocol: Protocol,
    key: SessionKey,
    pipe: Pipe,
    flushing: bool,
    /// Applied up to here, by topic.
    positions: BTreeMap<TopicId, u64>,
    /// Heads at the boot, by topic.
    booted: BTreeMap<TopicId, u64>,
    /// Heads of all topics when it started.
    heads: BTreeMap<TopicId, u64>,
    hello: bool,
    closed: Option<u16>,
    pulls: Vec<(TopicId, u64)>,
    /// RTM: last seq shown, by topic.
    shown: BTreeMap<TopicId, u64>,
}

impl Client {
    /// Reads everything that has come.
    fn read(&mut self, store: &Store) -> Result<(), TestCaseError> {
        loop {
            let frame = {
                let mut state = self.pipe.0.borrow_mut();
                let bytes = state.bytes.make_contiguous();
                let Some((opcode, header, length)) = header(bytes) else { return Ok(()) };
                if bytes.len() < header + length {
                    return Ok(());
                }
                let payload = bytes[header..header + length].to_vec();
                state.bytes.drain(..header + length);
                (opcode, payload)
            };
            match frame {
                (1, payload) => self.apply(&serde_json::from_slice(&payload).unwrap(), store)?,
                (8, payload) => self.closed = Some(u16::from_be_bytes([payload[0], payload[1]])),
                _ => {}
            }
        }
    }

    fn apply(&mut self, frame: &Value, store: &Store) -> Result<(), TestCaseError> {
        prop_assert!(self.closed.is_none(), "a frame after the close");
        let id = |value: &Value| value["t"].as_str().unwrap().parse::<TopicId>().unwrap();
        if self.protocol == Protocol::Rtm {
            return self.apply_rtm(frame, store);
        }
        match frame["type"].as_str() {
            Some("hello") => self.hello = true,
            Some("_page") => {
                let (id, from, to) =
                    (id(frame), frame["from"].as_u64().unwrap(), frame["to"].as_u64().unwrap());
                prop_assert_eq!(self.positions.get(&id), Some(&from), "page of {}", id);
                for event in frame["events"].as_array().unwrap() {
                    let seq = event["_p"]["s"].as_u64().unwrap();
                    prop_assert!(self.positions[&id] < seq && seq <= to, "{} in page of {}", seq, id);
                    self.step(id, seq, store)?;
                }
                self.positions.insert(id, to);
            }
            Some("_live") => {
                let (id, seq) = (id(frame), frame["s"].as_u64().unwrap());
                let known = *self.positions.entry(id).or_insert(seq);
                prop_assert_eq!(known, seq, "_live of {}", id);
            }
            Some("_reset") => {
                self.positions.insert(id(frame), frame["s"].as_u64().unwrap());
            }
            Some("_gone") => {
                prop_assert!(self.positions.remove(&id(frame)).is_some(), "_gone of {}", id(frame));
            }
            Some("_head") => {
                let (seq, head) = (self.positions[&id(frame)], frame["s"].as_u64().unwrap());
                prop_assert!(head >= seq);
                // Who has everything has nothing to ask for.
                if head > seq {
                    self.pulls.push((id(frame), seq));
                }
            }
            Some("_skip") => self.next(id(frame), frame["s"].as_u64().unwrap(), store)?,
            Some("x") => self.next(id(&frame["_p"]), frame["_p"]["s"].as_u64().unwrap(), store)?,
            Some("typing") => {}
            other => prop_assert!(false, "{:?}", other),
        }
        Ok(())
    }

    /// An event that must be the next one.
    fn next(&mut self, id: TopicId, seq: u64, store: &Store) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.positions.get(&id).map(|at| at + 1), Some(seq), "event of {}", id);
        self.step(id, seq, store)
    }

    fn step(&mut self, id: TopicId, seq: u64, store: &Store) -> Result<(), TestCaseError> {
        self.positions.insert(id, seq);
        self.may_see(id, seq, store)
    }

    /// I7: a session that is out of a channel at a seq does not get it.
    fn may_see(&self, id: TopicId, seq: u64, store: &Store) -> Result<(), TestCaseError> {
        let booted = self.booted.get(&id).copied();
        let mut inside = booted.is_some();
        let from = booted.unwrap_or(0);
        for event in store.logs[&id].iter().skip(usize::try_from(from).unwrap()) {
            if event.seq().raw() > seq {
                break;
            }
            match event.effect {
                Effect::MemberJoined(person) if person == user(self.who) => inside = true,
                Effect::MemberLeft(person) if person == user(self.who) && event.seq().raw() < seq => {
                    inside = false
                }
                _ => {}
            }
        }
        prop_assert!(inside, "{} of {} after the removal", seq, id);
        Ok(())
    }

    /// Whether `missed` belongs to the same stay in the channel as `last` or as `next`. Of several stays
    /// between two looks only the last one counts.
    fn one_stay(&self, id: TopicId, (last, missed, next): (u64, u64, u64), store: &Store) -> bool {
        let person = user(self.who);
        let any = |effect: Effect, seqs: std::ops::Range<u64>| {
            store.logs[&id].iter().any(|event| event.effect == effect && seqs.contains(&event.seq().raw()))
        };
        let was_in = self.booted.contains_key(&id) || self.shown.contains_key(&id);
        was_in && !any(Effect::MemberLeft(person), last..missed)
            || !any(Effect::MemberJoined(person), missed + 1..next + 1)
    }

    fn apply_rtm(&mut self, frame: &Value, store: &Store) -> Result<(), TestCaseError> {
        match frame["type"].as_str() {
            Some("hello") => self.hello = true,
            Some("x") => {
                let id = frame["topic"].as_str().unwrap().parse::<TopicId>().unwrap();
                let seq = frame["n"].as_u64().unwrap();
                let record = &store.logs[&id][usize::try_from(seq - 1).unwrap()];
                prop_assert!(record.origin != Some(self.session), "its own message");
                self.may_see(id, seq, store)?;
                let last = self.shown.get(&id).or(self.heads.get(&id)).copied();
                if let Some(last) = last {
                    let booted = self.booted.contains_key(&id) || Some(&last) > self.heads.get(&id);
                    prop_assert!(seq > last || !booted, "{} after {} of {}", seq, last, id);
                    for missed in last + 1..seq {
                        let event = &store.logs[&id][usize::try_from(missed - 1).unwrap()];
                        // What was trimmed before it could be read is lost to a client that cannot reset.
                        let visible = store.trimmed.is_empty()
                            && !event.body.is_empty()
                            && event.audience.has(self.class)
                            && event.origin != Some(self.session)
                            && self.may_see(id, missed, store).is_ok()
                            && self.one_stay(id, (last, missed, seq), store);
                        prop_assert!(!visible, "{} of {} is missing", missed, id);
                    }
                }
                self.shown.insert(id, seq);
            }
            Some("typing") => {}
            other => prop_assert!(false, "{:?}", other),
        }
        Ok(())
    }
}

fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    match second {
        126 => Some((first & 15, 4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])))),
        127 => None,
        short => Some((first & 15, 2, usize::from(short))),
    }
}

struct World {
    store: Store,
    hub: Hub<Pipe>,
    clients: Vec<Client>,
    asks: Vec<Ask<Pipe>>,
    /// Committed events on their way.
    on_the_way: VecDeque<EventRecord>,
    delivered: Vec<EventRecord>,
    sessions: u128,
}

impl World {
    fn new() -> Self {
        let mut store = Store::default();
        for who in 0..USERS {
            store.change(who, 0);
        }
        store.append(TopicId::Workspace(workspace()), Effect::None, Audience::ALL, None);
        let hub = Hub::new(Limits {
            session_queue_bytes_max: 600,
            loop_queue_bytes_max: 4_000,
            activity_every_ms: 30_000,
        });
        let (clients, asks) = (Vec::new(), Vec::new());
        let (on_the_way, delivered) = (VecDeque::new(), Vec::new());
        Self { store, hub, clients, asks, on_the_way, delivered, sessions: 0 }
    }

    /// Puts what was committed since on its way.
    fn ship(&mut self, before: &BTreeMap<TopicId, u64>) {
        for (id, log) in &self.store.logs {
            let from = before.get(id).copied().unwrap_or(0);
            self.on_the_way.extend(log.iter().skip(usize::try_from(from).unwrap()).cloned());
        }
    }

    fn heads(&self) -> BTreeMap<TopicId, u64> {
        self.store.logs.keys().map(|&id| (id, self.store.head(id))).collect()
    }

    fn run(&mut self, (kind, a, b): (u8, u8, u8)) -> Result<(), TestCaseError> {
        let before = self.heads();
        let place = u64::from(a) % CHANNELS;
        let who = u64::from(b) % USERS;
        match kind % 16 {
            0..=2 => {
                let audience = if b % 5 == 0 { Audience(Audience::MEMBER) } else { Audience::ALL };
                let origin = self.clients.get(usize::from(b) % 8).map(|client| client.session);
                let id = if a % 7 == 0 {
                    TopicId::Workspace(workspace())
                } else {
                    TopicId::Channel(channel(place))
                };
                self.store.append(id, Effect::None, audience, origin.filter(|_| b % 3 == 0));
            }
            3 => self.store.change(who, place),
            4 => self.connect(who, a, None),
            5 => self.reconnect(usize::from(a), b)?,
            6..=8 => {
                for _ in 0..=b % 4 {
                    if let Some(event) = self.on_the_way.pop_front() {
                        // One in eight is lost on the way.
                        if a % 8 != 0 {
                            self.delivered.push(event.clone());
                            self.hub.deliver(Delivery::Event(event), 0);
                        }
                    }
                }
            }
            9 => {
                if let Some(event) = self.delivered.get(usize::from(a) % self.delivered.len().max(1)) {
                    self.hub.deliver(Delivery::Event(event.clone()), 0);
                }
            }
            10 => {
                let id = TopicId::Channel(channel(place));
                if b % 2 == 0 {
                    let head = Head { topic: topic(id), position: at(self.store.head(id)) };
                    self.hub.deliver(Delivery::Head(head), 0);
                } else {
                    let body = bytes::Bytes::from_static(br#"{"type":"typing"}"#);
                    let signal =
                        Signal { topic: topic(id), kind: SignalKind::Typing, except: Some(user(who)), body };
                    self.hub.deliver(Delivery::Signal(signal), 0);
                }
            }
            11 | 12 => {
                self.hub.step(0);
            }
            13 => self.answer(usize::from(a), b % 5 == 0),
            14 => self.let_read(usize::from(a), usize::from(b) * 8)?,
            _ => {
                if a % 16 == 0 {
                    let id = TopicId::Channel(channel(place));
                    self.store.trimmed.insert(id, self.store.head(id) / 2);
                }
            }
        }
        self.ship(&before);
        self.collect();
        Ok(())
    }

    fn connect(&mut self, who: u64, variety: u8, resume: Option<&BTreeMap<TopicId, u64>>) {
        if self.clients.len() >= 8 {
            return;
        }
        let protocol =
            if variety.is_multiple_of(3) && resume.is_none() { Protocol::Rtm } else { Protocol::Own };
        let class = if variety.is_multiple_of(5) { Audience::GUEST } else { Audience::MEMBER };
        self.sessions += 1;
        let session = SessionId(self.sessions);
        let booted: BTreeMap<_, _> =
            self.store.topics_of(who).into_iter().map(|id| (id, self.store.head(id))).collect();
        let boot = Boot {
            session,
            protocol,
            actor: Actor {
                workspace: workspace(),
                user: user(who),
                bot: None,
                app: None,
                credential: CredentialId([u8::try_from(who).unwrap(); 16]),
            },
            class,
            topics: booted.iter().map(|(&id, &seq)| (id, at(seq))).collect(),
            manual: ManualAway::default(),
            batch_presence: protocol == Protocol::Own,
        };
        let pipe = Pipe::default();
        pipe.0.borrow_mut().room = usize::from(variety) * 4;
        let key = self.hub.add(pipe.clone(), boot, 0).unwrap();
        let positions = match (protocol, resume) {
            (Protocol::Own, Some(positions)) => positions.clone(),
            _ => BTreeMap::new(),
        };
        if protocol == Protocol::Own {
            let named: Vec<_> = positions.iter().map(|(id, seq)| format!("\"{id}\":[1,{seq}]")).collect();
            let text = format!(r#"{{"type":"resume","positions":{{{}}}}}"#, named.join(","));
            self.hub.receive(key, Message::Text(text));
        }
        self.clients.push(Client {
            who,
            class,
            session,
            protocol,
            key,
            pipe,
            flushing: false,
            positions,
            booted,
            heads: self.heads(),
            hello: false,
            closed: None,
            pulls: Vec::new(),
            shown: BTreeMap::new(),
        });
    }

    /// A client loses its socket and comes back with what it has.
    fn reconnect(&mut self, which: usize, variety: u8) -> Result<(), TestCaseError> {
        if self.clients.is_empty() {
            return Ok(());
        }
        let mut client = self.clients.swap_remove(which % self.clients.len());
        client.read(&self.store)?;
        self.hub.gone(client.key);
        if client.protocol == Protocol::Own {
            self.connect(client.who, variety | 1, Some(&client.positions));
        }
        Ok(())
    }

    /// Takes the hub's wishes; those that wait for a socket are with the client.
    fn collect(&mut self) {
        for ask in self.hub.take_asks() {
            match ask {
                Ask::Flush(key) => {
                    if let Some(client) = self.clients.iter_mut().find(|client| client.key == key) {
                        client.flushing = true;
                    }
                }
                Ask::Linger { sink, rest } => {
                    let mut state = sink.0.borrow_mut();
                    state.bytes.extend(&rest);
                }
                other => self.asks.push(other),
            }
        }
    }

    fn answer(&mut self, which: usize, fails: bool) {
        if self.asks.is_empty() {
            return;
        }
        let ask = self.asks.remove(which % self.asks.len());
        let failed = Err(CallError::Deadline { role: "web" });
        match ask {
            Ask::Read { number, request, .. } => {
                let result = if fails { failed } else { Ok(self.store.read(request)) };
                self.hub.page(number, result);
            }
            Ask::RetryRead { key, nonce, .. } => self.hub.retry(key, nonce),
            Ask::Repair { request, .. } => {
                let result = if fails { failed } else { Ok(self.store.read(request)) };
                self.hub.repaired(request.topic, result, 0);
            }
            _ => {}
        }
    }

    /// A client takes some bytes, and pulls what it was told to pull.
    fn let_read(&mut self, which: usize, room: usize) -> Result<(), TestCaseError> {
        if self.clients.is_empty() {
            return Ok(());
        }
        let which = which % self.clients.len();
        let client = &mut self.clients[which];
        client.pipe.0.borrow_mut().room += room;
        if std::mem::take(&mut client.flushing) && self.hub.flush(client.key) == crate::outbox::Flushed::Full
        {
            client.flushing = true;
        }
        client.read(&self.store)?;
        if client.closed == Some(4005) {
            return self.reconnect(which, 255);
        }
        for (id, seq) in std::mem::take(&mut client.pulls) {
            let text = format!(r#"{{"type":"pull","t":"{id}","g":1,"s":{seq}}}"#);
            self.hub.receive(client.key, Message::Text(text));
        }
        self.collect();
        Ok(())
    }

    /// Lets everything come to rest: everybody reads, all reads succeed, the sweep announces all heads.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        while let Some(event) = self.on_the_way.pop_front() {
            self.hub.deliver(Delivery::Event(event), 0);
        }
        for round in 0..2_000 {
            if round % 50 == 0 {
                for (id, log) in &self.store.logs {
                    let head = Head { topic: topic(*id), position: at(log.len() as u64) };
                    self.hub.deliver(Delivery::Head(head), 0);
                }
            }
            self.collect();
            while self.hub.step(0) {}
            self.collect();
            while !self.asks.is_empty() {
                self.answer(0, false);
                self.collect();
            }
            for which in 0..self.clients.len() {
                self.let_read(which, 1_000)?;
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for client in &self.clients {
            if client.closed.is_some() {
                let too_slow = client.closed == Some(4001) && client.protocol == Protocol::Rtm;
                let lost = client.closed == Some(4005) && !self.store.trimmed.is_empty();
                prop_assert!(too_slow || lost, "closed with {:?}", client.closed);
                continue;
            }
            prop_assert!(client.hello);
            if client.protocol == Protocol::Own {
                let expect: BTreeMap<_, _> = self
                    .store
                    .topics_of(client.who)
                    .into_iter()
                    .map(|id| (id, self.store.head(id)))
                    .collect();
                prop_assert_eq!(&client.positions, &expect, "positions of {:?}", client.session);
            } else {
                for id in self.store.topics_of(client.who) {
                    let from = client.shown.get(&id).or(client.heads.get(&id)).copied().unwrap_or(0);
                    for event in self.store.logs.get(&id).into_iter().flatten() {
                        let missed = self.store.trimmed.is_empty()
                            && event.seq().raw() > from
                            && !event.body.is_empty()
                            && event.audience.has(client.class)
                            && event.origin != Some(client.session)
                            && client.may_see(id, event.seq().raw(), &self.store).is_ok()
                            && client.one_stay(
                                id,
                                (from, event.seq().raw(), self.store.head(id)),
                                &self.store,
                            );
                        prop_assert!(!missed, "{} of {} did not come", event.seq(), id);
                    }
                }
            }
        }
        prop_assert_eq!(self.hub.counts.footing_lost, 0, "a live session was out of place");
        prop_assert_eq!(self.hub.queued_bytes(), 0);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_session_gets_every_event_once_in_order_and_nothing_after_its_removal(
        ops in prop::collection::vec(any::<(u8, u8, u8)>(), 1..250),
    ) {
        let mut world = World::new();
        world.connect(0, 1, None);
        world.connect(1, 3, None);
        for op in ops {
            world.run(op)?;
        }
        world.settle()?;
        world.check()?;
    }
}

/// A hub with one client of each protocol, both following channel 0.
fn two() -> (World, SessionKey, SessionKey) {
    let mut world = World::new();
    world.connect(0, 1, None);
    world.connect(1, 0, None);
    for client in &world.clients {
        client.pipe.0.borrow_mut().room = 1 << 20;
    }
    let (own, rtm) = (world.clients[0].key, world.clients[1].key);
    for key in [own, rtm] {
        world.hub.flush(key);
    }
    world.clients.iter().for_each(|client| drop(frames(client)));
    world.collect();
    (world, own, rtm)
}

/// Frames of a client since the last look: opcode and payload.
fn frames(client: &Client) -> Vec<(u8, Vec<u8>)> {
    let mut state = client.pipe.0.borrow_mut();
    let mut frames = Vec::new();
    while let Some((opcode, start, length)) = header(state.bytes.make_contiguous()) {
        frames.push((opcode, state.bytes.drain(..start + length).skip(start).collect()));
    }
    frames
}

#[test]
fn sessions_are_pinged_and_silent_ones_closed() {
    let (mut world, own, rtm) = two();
    for second in 1..=24 {
        world.hub.tick(second * 1_000);
    }
    for client in &world.clients {
        assert_eq!(frames(client).iter().filter(|(opcode, _)| *opcode == 9).count(), 2);
    }
    // One of them answers, the other does not.
    for second in 25..=110 {
        world.hub.set_now(second * 1_000);
        world.hub.receive(own, Message::Pong);
        world.hub.tick(second * 1_000);
        world.collect();
    }
    assert!(world.hub.sink(own).is_some());
    assert!(world.hub.sink(rtm).is_none());
    let (opcode, payload) = frames(&world.clients[1]).pop().unwrap();
    assert_eq!((opcode, &payload[..2]), (8, &4004_u16.to_be_bytes()[..]));
}

#[test]
fn a_client_that_never_resumes_is_closed_after_ten_seconds() {
    let (mut world, own, _) = two();
    let boot = Boot {
        session: SessionId(9),
        protocol: Protocol::Own,
        actor: Actor {
            workspace: workspace(),
            user: user(2),
            bot: None,
            app: None,
            credential: CredentialId([9; 16]),
        },
        class: 1,
        topics: vec![],
        manual: ManualAway::default(),
        batch_presence: true,
    };
    let key = world.hub.add(Pipe::default(), boot.clone(), 0).unwrap();
    for (now_ms, open) in [(9_000, true), (10_000, false)] {
        world.hub.tick(now_ms);
        assert_eq!(world.hub.sink(key).is_some(), open, "{now_ms}");
    }
    assert!(world.hub.sink(own).is_some());
    // A credential that was revoked while its boot was under way starts nothing; a later boot is web's to judge.
    assert_eq!(world.hub.revoke(&[CredentialId([9; 16])]), 0);
    assert!(world.hub.add(Pipe::default(), boot.clone(), 9_900).is_err());
    assert!(world.hub.add(Pipe::default(), boot, 10_001).is_ok());
}

#[test]
fn a_topic_without_followers_is_given_up_after_the_grace_time() {
    let (mut world, own, rtm) = two();
    let id = TopicId::Channel(channel(0));
    world.hub.gone(own);
    world.hub.tick(5_000);
    assert!(world.hub.position(topic(id)).is_some());
    world.hub.gone(rtm);
    // Somebody who comes back within the time keeps it.
    world.hub.tick(20_000);
    world.clients.clear();
    world.connect(2, 1, None);
    world.hub.tick(40_000);
    assert!(world.hub.position(topic(id)).is_some());
    world.hub.gone(world.clients[0].key);
    world.hub.tick(69_000);
    assert!(world.hub.position(topic(id)).is_some());
    world.hub.tick(71_000);
    assert!(world.hub.position(topic(id)).is_none());
    let left = world.hub.take_asks().iter().filter(|ask| matches!(ask, Ask::Unsubscribe(_))).count();
    assert_eq!(left, world_topics_of_three_users());
}

/// One channel, three people, one workspace.
fn world_topics_of_three_users() -> usize {
    5
}

#[test]
fn a_newer_history_makes_the_sessions_of_a_channel_boot_anew() {
    let (mut world, own, rtm) = two();
    let mut event = world.store.logs[&TopicId::Workspace(workspace())][0].clone();
    event.position = Position { generation: Generation(2), seq: Seq::new(3) };
    world.hub.deliver(Delivery::Event(event), 0);
    let resets = frames(&world.clients[0])
        .into_iter()
        .filter(|(_, text)| text.starts_with(b"{\"type\":\"_reset\""))
        .count();
    assert_eq!((resets, world.hub.sink(own).is_some(), world.hub.sink(rtm).is_some()), (1, true, true));
    let head = Position { generation: Generation(2), seq: Seq::new(3) };
    world.hub.deliver(Delivery::Head(Head { topic: topic(TopicId::Channel(channel(0))), position: head }), 0);
    assert_eq!((world.hub.sink(own).is_some(), world.hub.sink(rtm).is_some()), (false, false));
}

#[test]
fn a_large_channel_does_not_hold_up_a_small_one() {
    let mut world = World::new();
    world.store.change(0, 1);
    let boot = |number: u64, place: u64| Boot {
        session: SessionId(u128::from(number)),
        protocol: Protocol::Rtm,
        actor: Actor {
            workspace: workspace(),
            user: user(number),
            bot: None,
            app: None,
            credential: CredentialId([1; 16]),
        },
        class: 1,
        topics: vec![(
            TopicId::Channel(channel(place)),
            at(world.store.head(TopicId::Channel(channel(place)))),
        )],
        manual: ManualAway::default(),
        batch_presence: false,
    };
    let boots: Vec<_> = (0..2_000).map(|number| boot(number, 0)).chain([boot(9_999, 1)]).collect();
    let pipes: Vec<Pipe> = boots
        .into_iter()
        .map(|boot| {
            let pipe = Pipe::default();
            pipe.0.borrow_mut().room = 1 << 20;
            world.hub.add(pipe.clone(), boot, 0).unwrap();
            pipe.0.borrow_mut().bytes.clear();
            pipe
        })
        .collect();
    for place in [0, 1] {
        let id = TopicId::Channel(channel(place));
        let seq = world.store.append(id, Effect::None, Audience::ALL, None);
        let event = world.store.logs[&id][usize::try_from(seq - 1).unwrap()].clone();
        world.hub.deliver(Delivery::Event(event), 0);
    }
    let written = |pipes: &[Pipe]| pipes.iter().filter(|pipe| !pipe.0.borrow().bytes.is_empty()).count();
    assert!(world.hub.step(0));
    assert_eq!((written(&pipes), written(&pipes[2_000..])), (256, 0), "a slice of the large one");
    assert!(world.hub.step(0));
    assert_eq!((written(&pipes), written(&pipes[2_000..])), (512, 1), "then the small one first");
    while world.hub.step(0) {}
    assert_eq!(written(&pipes), 2_001);
}

/// Somebody comes back with `seq` in the first channel and all of the others.
fn comes_back(world: &mut World, who: u64, seq: u64) {
    let mut positions: BTreeMap<_, _> =
        world.store.topics_of(who).into_iter().map(|id| (id, world.store.head(id))).collect();
    positions.insert(TopicId::Channel(channel(0)), seq);
    world.connect(who, 255, Some(&positions));
    world.collect();
}

#[test]
fn who_misses_the_same_shares_a_read_that_begins_after_they_asked() {
    let mut world = World::new();
    let id = TopicId::Channel(channel(0));
    for _ in 0..4 {
        world.store.append(id, Effect::None, Audience::ALL, None);
    }
    let from = world.store.head(id) - 4;
    comes_back(&mut world, 0, from);
    let Some(Ask::Read { number, request, .. }) = world.asks.pop() else { panic!("{:?}", world.asks) };
    // What is read now does not have what happens before the others come.
    let early = world.store.read(request);
    world.store.append(id, Effect::None, Audience::ALL, None);
    comes_back(&mut world, 1, from);
    comes_back(&mut world, 2, from);
    let reads = |world: &World| world.asks.iter().filter(|ask| matches!(ask, Ask::Read { .. })).count();
    assert_eq!(reads(&world), 0, "they wait");
    world.hub.page(number, Ok(early));
    world.collect();
    // Takes what came.
    let pages = |client: &Client| {
        frames(client).iter().filter(|(_, text)| text.starts_with(b"{\"type\":\"_page\"")).count()
    };
    let shown = |world: &World| world.clients.iter().rev().take(3).map(pages).collect::<Vec<_>>();
    assert_eq!(shown(&world), [0, 0, 1], "nobody is shown what was read before they asked");
    assert_eq!(reads(&world), 1, "one for the two who came later");
    let second = world.asks.iter().position(|ask| matches!(ask, Ask::Read { .. })).unwrap();
    world.answer(second, false);
    assert_eq!(shown(&world), [1, 1, 0], "each once");
    assert_eq!(world.hub.take_counts().0.shared_pages, 1);
}
