//! Renaming, converting, taking back from the archive; closing DMs; pins.

use model::{ChannelId, ChannelKind, ChannelName, EventKind, Subtype, TopicId, Ts, UserId};
use store::{Done, Outcome, PINS_MAX, Refusal, WriteKind};

use crate::world::*;

fn rename(channel: ChannelId, who: UserId, name: &str) -> WriteKind {
    WriteKind::Rename { channel, by: by(who), name: ChannelName::parse(name).unwrap() }
}

fn convert(channel: ChannelId, who: UserId, to: ChannelKind) -> WriteKind {
    WriteKind::Convert { channel, by: by(who), to }
}

/// Topics and kinds of events, by their names.
fn told(outcome: &Outcome) -> Vec<(TopicId, String)> {
    let name = |kind: &EventKind| {
        let text = format!("{kind:?}");
        text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
    };
    outcome.events.iter().map(|event| (event.topic.id, name(&event.kind))).collect()
}

#[tokio::test]
async fn a_new_name_is_told_to_those_who_may_know_it() {
    let mut world = World::new().await;
    let renamed = world.run(rename(SECRET, ANN, "plans")).await;
    let channel = TopicId::Channel(SECRET);
    assert_eq!(told(&renamed), [(channel, "Message".to_owned()), (channel, "GroupRenamed".to_owned())]);
    let renamed = world.run(rename(RANDOM, ANN, "chatter")).await;
    let all = TopicId::Workspace(WS);
    let public = TopicId::Channel(RANDOM);
    assert_eq!(told(&renamed), [(public, "Message".to_owned()), (all, "ChannelRenamed".to_owned())]);
    let (found, _) = world.store.channel(WS, RANDOM, None).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.previous_names), ("chatter", vec!["random".to_owned()]));
    let EventKind::Message { message, .. } = &renamed.events[0].kind else { panic!() };
    let expect = Subtype::ChannelName { old: "random".to_owned(), new: "chatter".to_owned() };
    assert_eq!(message.subtype, Some(expect));
    // The old name is free again, the new one is not.
    assert_eq!(world.run(rename(SECRET, ANN, "chatter")).await.result, Err(Refusal::NameTaken));
    world.ok(rename(SECRET, ANN, "random")).await;
    assert!(world.run(rename(SECRET, ANN, "random")).await.events.is_empty());
    for (write, refusal) in [
        (rename(SECRET, CY, "x"), Refusal::ChannelNotFound),
        (rename(SECRET, BO, "x"), Refusal::NotAllowed),
        (rename(GENERAL, BO, "x"), Refusal::NotAllowed),
    ] {
        assert_eq!(world.run(write.clone()).await.result, Err(refusal), "{write:?}");
    }
    world.ok(WriteKind::Archive { channel: SECRET, by: by(ANN) }).await;
    assert_eq!(world.run(rename(SECRET, ANN, "x")).await.result, Err(Refusal::IsArchived));
}

#[tokio::test]
async fn an_archived_channel_comes_back() {
    let mut world = World::new().await;
    let unarchive = |channel| WriteKind::Unarchive { channel, by: by(ANN) };
    assert_eq!(world.run(unarchive(RANDOM)).await.result, Err(Refusal::NotArchived));
    for (channel, topic, name) in [
        (RANDOM, TopicId::Workspace(WS), "ChannelUnarchived"),
        (SECRET, TopicId::Channel(SECRET), "GroupUnarchived"),
    ] {
        world.ok(WriteKind::Archive { channel, by: by(ANN) }).await;
        let back = world.run(unarchive(channel)).await;
        assert_eq!(told(&back).last(), Some(&(topic, name.to_owned())));
        world.posted(draft(channel, ANN, "again")).await;
    }
    world.ok(WriteKind::Archive { channel: SECRET, by: by(ANN) }).await;
    let stranger = WriteKind::Unarchive { channel: SECRET, by: by(CY) };
    assert_eq!(world.run(stranger).await.result, Err(Refusal::ChannelNotFound));
}

#[tokio::test]
async fn a_channel_that_becomes_private_is_not_told_of_any_more() {
    let mut world = World::new().await;
    world.ok(rename(RANDOM, ANN, "chatter")).await;
    let converted = world.run(convert(RANDOM, ANN, ChannelKind::Private)).await;
    let names: Vec<_> = told(&converted).into_iter().map(|(_, name)| name).collect();
    // Newcomers joined it: that they no longer do is told too.
    assert_eq!(names, ["TeamPreferenceChanged", "Message", "ChannelConvertedToPrivate"]);
    // What the workspace was told of it before is told to nobody who comes later.
    let later = world.log_of(TopicId::Workspace(WS)).await;
    let of_random = |kind: &EventKind| match kind {
        EventKind::ChannelCreated(channel) | EventKind::ChannelRenamed(channel) => channel.id == RANDOM,
        _ => false,
    };
    assert!(!later.iter().any(|event| of_random(&event.kind)));
    world.ok(WriteKind::Leave { channel: RANDOM, by: by(CY) }).await;
    let join = WriteKind::Join { channel: RANDOM, by: by(CY) };
    assert_eq!(world.run(join).await.result, Err(Refusal::ChannelNotFound));
    // Newcomers do not come in by themselves.
    let dee = UserId::from_raw(24);
    world.ok(WriteKind::AddPerson(Box::new(person(dee, "dee", model::Role::Member)))).await;
    let (_, membership) = world.store.channel(WS, RANDOM, Some(dee)).await.unwrap().unwrap();
    assert_eq!(membership, None);
    let back = world.run(convert(RANDOM, ANN, ChannelKind::Public)).await;
    assert_eq!(told(&back).last(), Some(&(TopicId::Workspace(WS), "ChannelCreated".to_owned())));
    world.ok(WriteKind::Join { channel: RANDOM, by: by(CY) }).await;
    for (write, refusal) in [
        (convert(RANDOM, ANN, ChannelKind::Public), Refusal::AlreadyThatKind),
        (convert(RANDOM, BO, ChannelKind::Private), Refusal::NotAllowed),
        (convert(GENERAL, ANN, ChannelKind::Private), Refusal::WrongChannelKind),
    ] {
        assert_eq!(world.run(write.clone()).await.result, Err(refusal), "{write:?}");
    }
}

#[tokio::test]
async fn a_closed_dm_opens_when_somebody_speaks_or_it_is_opened() {
    let mut world = World::new().await;
    let id = ChannelId::direct_from_random(7);
    let open = |who: UserId, other| WriteKind::OpenDirect {
        id,
        by: by(who),
        others: vec![other],
        only_existing: false,
    };
    world.ok(open(ANN, BO)).await;
    let close = |channel, who| WriteKind::SetOpen { channel, by: by(who), open: false };
    let is_open = async |world: &World, who| {
        let boot = world.store.boot(WS, who).await.unwrap().unwrap();
        boot.channels.iter().find(|(channel, _)| channel.id == id).map(|(_, own)| own.open)
    };
    let closed = world.run(close(id, BO)).await;
    assert_eq!(told(&closed), [(TopicId::User(BO), "Closed".to_owned())]);
    assert_eq!((is_open(&world, BO).await, is_open(&world, ANN).await), (Some(false), Some(true)));
    let again = world.run(close(id, BO)).await;
    assert_eq!((again.result, again.events.len()), (Ok(Done::Membership { changed: false }), 0));
    let posted = world.run(post(draft(id, ANN, "hello?"))).await;
    assert!(told(&posted).contains(&(TopicId::User(BO), "Opened".to_owned())));
    assert_eq!(is_open(&world, BO).await, Some(true));
    assert_eq!(world.run(post(draft(id, ANN, "hello!"))).await.events.len(), 1);
    world.ok(close(id, BO)).await;
    assert_eq!(world.ok(open(BO, ANN)).await, Done::Channel { id, existed: false });
    assert_eq!(world.ok(open(BO, ANN)).await, Done::Channel { id, existed: true });
    assert_eq!(world.run(close(SECRET, BO)).await.result, Err(Refusal::WrongChannelKind));
    assert_eq!(world.run(close(id, CY)).await.result, Err(Refusal::ChannelNotFound));
}

#[tokio::test]
async fn pins_are_of_messages_that_exist() {
    let mut world = World::new().await;
    let pin = |ts, who| WriteKind::Pin { channel: SECRET, ts, by: by(who) };
    let unpin = |ts, who| WriteKind::Unpin { channel: SECRET, ts, by: by(who) };
    let pins = async |world: &World| {
        let (channel, _) = world.store.channel(WS, SECRET, None).await.unwrap().unwrap();
        let listed = world.store.pinned(WS, SECRET).await.unwrap();
        assert_eq!(channel.pins, u64::try_from(listed.len()).unwrap());
        listed.iter().map(|message| message.ts).collect::<Vec<_>>()
    };
    let one = world.posted(draft(SECRET, ANN, "one")).await.ts;
    let two = world.posted(draft(SECRET, BO, "two")).await.ts;
    let pinned = world.run(pin(one, BO)).await;
    assert_eq!(told(&pinned), [(TopicId::Channel(SECRET), "PinAdded".to_owned())]);
    world.ok(pin(two, ANN)).await;
    assert_eq!(pins(&world).await, [two, one], "the newest pin first");
    for (write, refusal) in [
        (pin(one, ANN), Refusal::AlreadyPinned),
        (pin(Ts::from_micros(5), ANN), Refusal::MessageNotFound),
        (unpin(Ts::from_micros(5), ANN), Refusal::MessageNotFound),
        (pin(one, CY), Refusal::ChannelNotFound),
    ] {
        assert_eq!(world.run(write.clone()).await.result, Err(refusal), "{write:?}");
    }
    world.ok(WriteKind::Delete { channel: SECRET, ts: two, by: by(BO) }).await;
    assert_eq!(pins(&world).await, [one], "a deleted message is not pinned");
    world.ok(unpin(one, ANN)).await;
    assert_eq!(world.run(unpin(one, ANN)).await.result, Err(Refusal::NoPin));
    assert_eq!(pins(&world).await, []);
    for number in 0..PINS_MAX {
        let ts = world.posted(draft(SECRET, ANN, &number.to_string())).await.ts;
        world.ok(pin(ts, ANN)).await;
    }
    assert_eq!(world.run(pin(one, ANN)).await.result, Err(Refusal::TooManyPins));
}
