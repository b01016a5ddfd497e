//! The log: catch-up, resets, the sweep.

use model::{Credential, EventKind, Generation, Position, Seq, Topic, TopicId};
use store::{Changed, Done, EventsRead, NewCredential, SecretHash, WriteKind};

use crate::world::*;

fn at(generation: u32, seq: u64) -> Position {
    Position { generation: Generation(generation), seq: Seq::new(seq) }
}

#[tokio::test]
async fn catch_up_shows_messages_as_they_are_now() {
    let mut world = World::new().await;
    let start = world.head(TopicId::Channel(SECRET)).await;
    let kept = world.say(SECRET, ANN, "first").await;
    let gone = world.say(SECRET, ANN, "secret").await;
    world.ok(edit(SECRET, kept.ts, ANN, "second")).await;
    world.ok(WriteKind::Delete { channel: SECRET, ts: gone.ts, by: by(ANN) }).await;
    let topic = Topic { workspace: WS, id: TopicId::Channel(SECRET) };
    let EventsRead::Events { events, head } = world.store.events(topic, start, 100).await.unwrap() else {
        panic!()
    };
    assert_eq!(head, events.last().unwrap().position);
    let EventKind::Message { message, .. } = &events[0].kind else { panic!() };
    assert_eq!(message.text.as_str(), "second");
    assert_eq!(events[1].kind, EventKind::Nothing);
    assert!(matches!(&events[2].kind, EventKind::MessageChanged { previous: None, .. }));
    assert!(matches!(&events[3].kind, EventKind::MessageDeleted { previous: None, .. }));
    let EventsRead::Events { events, .. } = world.store.events(topic, start, 2).await.unwrap() else {
        panic!()
    };
    assert_eq!(events.len(), 2, "the limit holds");
}

#[tokio::test]
async fn positions_that_never_were_are_reset() {
    let mut world = World::new().await;
    world.say(GENERAL, ANN, "x").await;
    let topic = Topic { workspace: WS, id: TopicId::Channel(GENERAL) };
    let head = world.head(topic.id).await;
    for position in [at(2, 1), at(1, head.seq.raw() + 1), at(1, u64::MAX), at(0, 0)] {
        assert_eq!(
            world.store.events(topic, position, 10).await.unwrap(),
            EventsRead::Reset { head },
            "{position:?}"
        );
    }
    assert_eq!(
        world.store.events(topic, head, 10).await.unwrap(),
        EventsRead::Events { events: vec![], head }
    );
    let unknown = Topic { workspace: WS, id: TopicId::Channel(model::ChannelId::from_raw(77)) };
    assert_eq!(world.store.events(unknown, at(1, 0), 10).await.unwrap(), EventsRead::Unknown);
}

#[tokio::test]
async fn a_raised_generation_resets_every_topic_and_goes_on() {
    let mut world = World::new().await;
    let before = world.head(TopicId::Channel(GENERAL)).await;
    let Done::Count(topics) = world.ok(WriteKind::ShiftGenerations).await else { panic!() };
    assert_eq!(topics, 7, "three channels, three people, the workspace");
    let after = world.head(TopicId::Channel(GENERAL)).await;
    assert_eq!((after.generation, after.seq), (Generation(2), before.seq));
    world.say(GENERAL, ANN, "on").await;
    let topic = Topic { workspace: WS, id: TopicId::Channel(GENERAL) };
    assert!(matches!(world.store.events(topic, before, 10).await.unwrap(), EventsRead::Reset { .. }));
    let EventsRead::Events { events, .. } = world.store.events(topic, after, 10).await.unwrap() else {
        panic!()
    };
    assert_eq!(events[0].position, at(2, before.seq.raw() + 1));
}

#[tokio::test]
async fn the_sweep_sees_each_moved_topic() {
    let mut world = World::new().await;
    let mut sweep = world.store.sweep();
    assert!(!sweep.changed().await.unwrap().heads.is_empty(), "the first look goes back a little");
    assert_eq!(sweep.changed().await.unwrap(), Changed::default());
    world.say(GENERAL, ANN, "x").await;
    world.batch(vec![post(draft(GENERAL, BO, "y")), post(draft(SECRET, BO, "z"))]).await.unwrap();
    let Changed { heads, revoked } = sweep.changed().await.unwrap();
    assert_eq!(revoked, []);
    assert_eq!(heads.len(), 2);
    for channel in [GENERAL, SECRET] {
        let id = TopicId::Channel(channel);
        let position = world.head(id).await;
        let seen: Vec<_> =
            heads.iter().filter(|head| head.topic.id == id).map(|head| head.position).collect();
        assert_eq!(seen, [position], "{channel}: each topic once, with its newest head");
    }
    assert_eq!(sweep.changed().await.unwrap(), Changed::default());
}

#[tokio::test]
async fn the_sweep_tells_of_revoked_credentials() {
    let mut world = World::new().await;
    let secrets = ["a", "b", "c"].map(SecretHash::of);
    for (secret, kind) in
        secrets.into_iter().zip([Credential::Session, Credential::Session, Credential::User])
    {
        let (user, scopes) = (Some(BO), String::new());
        let credential = NewCredential { secret, kind, user, bot: None, app: None, scopes, expires: None };
        world.ok(WriteKind::AddCredential(credential)).await;
    }
    let mut sweep = world.store.sweep();
    sweep.changed().await.unwrap();
    world.ok(WriteKind::RevokeSessions { user: BO }).await;
    world.ok(WriteKind::RevokeCredential { id: secrets[2].credential_id() }).await;
    world.ok(WriteKind::RevokeCredential { id: secrets[2].credential_id() }).await;
    let mut revoked = sweep.changed().await.unwrap().revoked;
    revoked.sort_unstable_by_key(|id| id.0);
    let mut expected = secrets.map(|secret| secret.credential_id());
    expected.sort_unstable_by_key(|id| id.0);
    assert_eq!(revoked, expected, "each once");
}

#[tokio::test]
async fn who_left_learns_nothing_from_the_personal_log() {
    let mut world = World::new().await;
    world.ok(WriteKind::Kick { channel: SECRET, by: by(ANN), user: BO }).await;
    world.ok(WriteKind::SetTopic { channel: SECRET, by: by(ANN), value: "canary".to_owned() }).await;
    let log = world.log_of(TopicId::User(BO)).await;
    assert!(!format!("{log:?}").contains("canary") && !format!("{log:?}").contains("\"secret\""));
    assert!(log.iter().any(|event| matches!(event.kind, EventKind::Left { channel: SECRET, .. })));
}

#[tokio::test]
async fn the_logs_of_people_are_trimmed_and_those_of_channels_are_not() {
    let mut world = World::new().await;
    let first = world.say(GENERAL, ANN, "a").await.ts;
    let second = world.say(GENERAL, ANN, "b").await.ts;
    for _ in 0..7 {
        let marks = (0..400).map(|turn| {
            let ts = if turn % 2 == 0 { first } else { second };
            WriteKind::Mark { channel: GENERAL, by: by(BO), ts }
        });
        world.batch(marks.collect()).await.unwrap();
    }
    let topic = Topic { workspace: WS, id: TopicId::User(BO) };
    let head = world.head(topic.id).await;
    assert!(head.seq.raw() > 2_800);
    assert_eq!(world.store.events(topic, at(1, 0), 10).await.unwrap(), EventsRead::Reset { head });
    assert_eq!(world.store.events(topic, at(1, 400), 10).await.unwrap(), EventsRead::Reset { head });
    let near = at(1, head.seq.raw() - 2_000);
    let EventsRead::Events { events, .. } = world.store.events(topic, near, 3_000).await.unwrap() else {
        panic!()
    };
    assert_eq!(events.len(), 2_000, "what is kept has no hole");
    let channel = Topic { workspace: WS, id: TopicId::Channel(GENERAL) };
    assert!(matches!(world.store.events(channel, at(1, 0), 10).await.unwrap(), EventsRead::Events { .. }));
    // The trim is remembered.
    let world = world.reopen().await;
    assert_eq!(world.store.events(topic, at(1, 400), 10).await.unwrap(), EventsRead::Reset { head });
}
