//! Presence and slow sessions: what a session is told is what is so when its socket takes it.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::{CredentialId, Epoch, SessionId};
use proptest::prelude::*;
use rpc::{Actor, Boot, ManualAway, Person, PresenceChange, Protocol};
use serde_json::Value;

use super::{
    Hub, Limits,
    tests::{Pipe, user, workspace},
};
use crate::{
    codec::{self, Message, Opcode},
    outbox::Kind,
    session::SessionKey,
};

const PEOPLE: u64 = 8;

struct World {
    hub: Hub<Pipe>,
    truth: BTreeMap<u64, bool>,
    version: u64,
}

fn person(number: u64) -> Person {
    Person { workspace: workspace(), user: user(number) }
}

impl World {
    fn new() -> Self {
        let limits = Limits {
            session_queue_bytes_max: 4_000,
            loop_queue_bytes_max: 40_000,
            activity_every_ms: 30_000,
        };
        Self { hub: Hub::new(limits), truth: BTreeMap::new(), version: 0 }
    }

    /// A session that watches everybody, with a socket that takes everything.
    fn watcher(&mut self, batch: bool) -> (Pipe, SessionKey) {
        let actor = Actor {
            workspace: workspace(),
            user: user(99),
            bot: None,
            app: None,
            credential: CredentialId([1; 16]),
        };
        let boot = Boot {
            session: SessionId(1),
            protocol: Protocol::Rtm,
            actor,
            class: 1,
            topics: vec![],
            manual: ManualAway::default(),
            batch_presence: batch,
        };
        let pipe = Pipe::default();
        pipe.0.borrow_mut().room = usize::MAX;
        let key = self.hub.add(pipe.clone(), boot, 0).unwrap();
        let ids: Vec<String> = (0..PEOPLE).map(|number| user(number).to_string()).collect();
        let frame = serde_json::json!({ "type": "presence_sub", "ids": ids }).to_string();
        assert!(self.hub.receive(key, Message::Text(frame)));
        (pipe, key)
    }

    fn change(&mut self, number: u64, active: bool) {
        self.version += 1;
        self.truth.insert(number, active);
        let change = PresenceChange { person: person(number), active, version: self.version };
        self.hub.presence_changed(Epoch(1), vec![change]);
    }

    fn work(&mut self) {
        while self.hub.step(0) {}
    }
}

/// What a client knows after it has read everything.
fn read(pipe: &Pipe) -> (BTreeMap<String, String>, usize) {
    let bytes: Vec<u8> = pipe.0.borrow_mut().bytes.drain(..).collect();
    let text = String::from_utf8_lossy(&bytes);
    let (mut known, mut frames) = (BTreeMap::new(), 0);
    for part in text.split(r#"{"type":"presence_change""#).skip(1) {
        let end = part.find('}').unwrap();
        let frame: Value = serde_json::from_str(&format!("{{\"x\":0{}}}", &part[..end])).unwrap();
        let users = frame["users"].as_array().cloned().unwrap_or_else(|| vec![frame["user"].clone()]);
        frames += 1;
        for one in users {
            known.insert(one.as_str().unwrap().to_owned(), frame["presence"].as_str().unwrap().to_owned());
        }
    }
    (known, frames)
}

#[test]
fn a_crowd_of_changes_is_one_frame_for_each_state() {
    let mut world = World::new();
    let (batch, _) = world.watcher(true);
    let (single, _) = world.watcher(false);
    for number in 0..PEOPLE {
        world.change(number, number % 2 == 0);
    }
    // What somebody was in between is nobody's business.
    world.change(0, false);
    world.change(0, true);
    world.work();
    let (known, frames) = read(&batch);
    assert_eq!((known.len(), frames), (8, 2));
    assert_eq!(read(&single), (known, 8));
}

#[test]
fn a_session_that_is_slow_costs_nothing_and_ends_with_the_truth() {
    let mut world = World::new();
    let (pipe, key) = world.watcher(true);
    for number in 0..PEOPLE {
        world.change(number, true);
    }
    world.work();
    read(&pipe);
    // The socket is full, and something waits for it.
    pipe.0.borrow_mut().room = 0;
    let index = key.index;
    world.hub.write(index, &codec::frame(Opcode::Text, b"waits"), Kind::Keep);
    let waiting = world.hub.queued_bytes();
    for round in 0..1_000 {
        world.change(round % PEOPLE, round % 3 == 0);
        world.work();
    }
    assert_eq!(world.hub.queued_bytes(), waiting, "nothing is kept for who cannot take it");
    let (_, _, shed) = world.hub.take_counts();
    assert!(shed > 0, "and that is counted");
    pipe.0.borrow_mut().room = usize::MAX;
    world.hub.flush(key);
    world.work();
    let (known, frames) = read(&pipe);
    assert!(frames <= 2);
    for (number, active) in &world.truth {
        let expect = if *active { "active" } else { "away" };
        assert_eq!(known[&user(*number).to_string()], expect, "{number}");
    }
}

#[test]
fn who_is_gone_is_told_nothing_and_watches_nobody() {
    let mut world = World::new();
    let (pipe, key) = world.watcher(true);
    assert_eq!(world.hub.presence_pairs(), 8);
    world.change(1, true);
    world.hub.gone(key);
    assert_eq!(world.hub.presence_pairs(), 0);
    world.work();
    assert_eq!(read(&pipe).1, 0);
    world.change(1, false);
    world.work();
}

proptest! {
    /// Whatever the socket takes when: once it has taken everything the client knows what is so.
    #[test]
    fn any_pace_ends_with_the_truth(
        steps in prop::collection::vec((0..PEOPLE, any::<bool>(), 0..120_usize, any::<bool>()), 1..120),
        batch in any::<bool>(),
    ) {
        let mut world = World::new();
        let (pipe, key) = world.watcher(batch);
        pipe.0.borrow_mut().room = 0;
        let mut known = BTreeMap::new();
        let mut raw: Vec<u8> = Vec::new();
        for (number, active, room, works) in steps {
            world.change(number, active);
            if works {
                world.work();
            }
            pipe.0.borrow_mut().room = room;
            if world.hub.take_asks().iter().any(|ask| matches!(ask, super::Ask::Flush(_))) || room > 60 {
                world.hub.flush(key);
            }
            raw.extend(pipe.0.borrow_mut().bytes.drain(..));
        }
        pipe.0.borrow_mut().room = usize::MAX;
        world.hub.flush(key);
        world.work();
        raw.extend(pipe.0.borrow_mut().bytes.drain(..));
        pipe.0.borrow_mut().bytes.extend(Bytes::from(raw));
        known.extend(read(&pipe).0);
        for (number, active) in &world.truth {
            let expect = if *active { "active" } else { "away" };
            prop_assert_eq!(known.get(&user(*number).to_string()).map(String::as_str), Some(expect));
        }
    }
}
