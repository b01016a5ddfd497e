//! Threads that people follow, and what of them is unread.

use model::{ChannelId, Draft, EventKind, Subscription, Ts, UserId};
use store::{Refusal, ThreadCounts, WriteKind};

use crate::world::*;

fn reply(thread: Ts, author: UserId) -> WriteKind {
    post(Draft { thread: Some(thread), ..draft(SECRET, author, "reply") })
}

fn follow(thread: Ts, who: UserId, active: bool) -> WriteKind {
    WriteKind::FollowThread { channel: SECRET, thread, by: by(who), active, last_read: None }
}

fn mark(thread: Ts, who: UserId, ts: Ts) -> WriteKind {
    WriteKind::MarkThread { channel: SECRET, thread, by: by(who), ts }
}

async fn standing(world: &World, who: UserId, thread: Ts) -> Option<(Ts, bool)> {
    let found = world.store.subscription(WS, who, SECRET, thread).await.unwrap();
    found.map(|found| (found.last_read, found.active))
}

async fn counts(world: &World, who: UserId) -> (u64, u64) {
    let ThreadCounts { unread, mentions } = world.store.thread_counts(WS, who).await.unwrap();
    (unread, mentions)
}

#[tokio::test]
async fn whoever_takes_part_follows() {
    let mut world = World::new().await;
    let parent = world.posted(draft(SECRET, ANN, "parent")).await.ts;
    let outcome = world.run(reply(parent, BO)).await;
    let followed: Vec<_> = outcome
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ThreadFollowed(subscription) => Some((event.topic.id, subscription.active)),
            _ => None,
        })
        .collect();
    assert_eq!(followed, [(model::TopicId::User(BO), true), (model::TopicId::User(ANN), true)]);
    let first = world.store.message(WS, SECRET, parent).await.unwrap().unwrap().replies.unwrap().latest;
    assert_eq!(standing(&world, BO, parent).await, Some((first, true)), "one's own reply is read");
    assert_eq!(standing(&world, ANN, parent).await, Some((parent, true)), "and the others' is not");
    assert_eq!((counts(&world, BO).await, counts(&world, ANN).await), ((0, 0), (1, 0)));
    // A second reply tells nobody that they follow.
    let again = world.run(reply(parent, BO)).await;
    assert_eq!(again.events.len(), 1);
}

#[tokio::test]
async fn a_mention_in_a_thread_counts_there_and_not_in_the_channel() {
    let mut world = World::new().await;
    let parent = world.posted(draft(SECRET, ANN, "parent")).await.ts;
    let mentioning = Draft {
        thread: Some(parent),
        mentions: vec![BO, CY],
        mentions_everyone: true,
        ..draft(SECRET, ANN, "you?")
    };
    world.ok(post(mentioning.clone())).await;
    assert_eq!(counts(&world, BO).await, (1, 1));
    assert_eq!(standing(&world, CY, parent).await, None, "who is not in the channel follows nothing in it");
    let (_, membership) = world.store.channel(WS, SECRET, Some(BO)).await.unwrap().unwrap();
    assert_eq!(membership.unwrap().mention_count, 0);
    let shown = Draft { broadcast: true, ..mentioning };
    world.ok(post(shown)).await;
    let (_, membership) = world.store.channel(WS, SECRET, Some(BO)).await.unwrap().unwrap();
    assert_eq!(membership.unwrap().mention_count, 1, "a broadcast mentions in the channel");
}

#[tokio::test]
async fn who_does_not_follow_is_left_alone() {
    let mut world = World::new().await;
    let parent = world.posted(draft(SECRET, ANN, "parent")).await.ts;
    world.ok(reply(parent, BO)).await;
    world.ok(follow(parent, ANN, false)).await;
    assert_eq!(counts(&world, ANN).await, (0, 0));
    let mentioning = Draft { thread: Some(parent), mentions: vec![ANN], ..draft(SECRET, BO, "hey") };
    world.ok(post(mentioning)).await;
    assert_eq!(standing(&world, ANN, parent).await.map(|(_, active)| active), Some(false));
    // Taking part again is a reason.
    world.ok(reply(parent, ANN)).await;
    assert_eq!(standing(&world, ANN, parent).await.map(|(_, active)| active), Some(true));
    let nothing = world.run(follow(parent, ANN, true)).await;
    assert!(nothing.result.is_ok() && nothing.events.is_empty());
}

#[tokio::test]
async fn a_cursor_moves_both_ways_but_not_beyond_the_end() {
    let mut world = World::new().await;
    let parent = world.posted(draft(SECRET, ANN, "parent")).await.ts;
    world.ok(reply(parent, BO)).await;
    world.ok(reply(parent, BO)).await;
    let latest = world.store.message(WS, SECRET, parent).await.unwrap().unwrap().replies.unwrap().latest;
    let outcome = world.run(mark(parent, ANN, Ts::MAX)).await;
    let expect = Subscription { channel: SECRET, thread: parent, last_read: latest, active: true };
    assert_eq!(
        outcome.events.iter().map(|event| &event.kind).collect::<Vec<_>>(),
        [&EventKind::ThreadMarked(expect)]
    );
    assert_eq!(counts(&world, ANN).await, (0, 0));
    world.ok(mark(parent, ANN, parent)).await;
    assert_eq!(counts(&world, ANN).await, (1, 0));
    // The newest reply goes: what is left was read or not as before.
    world.ok(WriteKind::Delete { channel: SECRET, ts: latest, by: by(BO) }).await;
    assert_eq!(counts(&world, ANN).await, (1, 0));
    let list = world.store.followed(WS, ANN, Ts::MAX, 10).await.unwrap();
    assert_eq!(list.iter().map(|(found, _)| found.thread).collect::<Vec<_>>(), [parent]);
}

#[tokio::test]
async fn refusals_tell_nothing_of_what_one_may_not_know() {
    let mut world = World::new().await;
    let parent = world.posted(draft(SECRET, ANN, "parent")).await.ts;
    let in_general = world.posted(draft(GENERAL, ANN, "parent")).await.ts;
    world.ok(reply(parent, BO)).await;
    for (write, refusal) in [
        (follow(parent, CY, true), Refusal::ChannelNotFound),
        (mark(parent, CY, parent), Refusal::ChannelNotFound),
        (follow(Ts::from_micros(5), BO, true), Refusal::ThreadNotFound),
        (mark(in_general, BO, parent), Refusal::ThreadNotFound),
    ] {
        assert_eq!(world.run(write.clone()).await.result, Err(refusal), "{write:?}");
    }
    world.ok(follow(parent, BO, false)).await;
    assert_eq!(world.run(mark(parent, BO, parent)).await.result, Err(Refusal::NotFollowing));
    // Who is removed from the channel has none of its threads any more, and has them again when they are back.
    world.ok(follow(parent, BO, true)).await;
    world.ok(reply(parent, ANN)).await;
    assert_eq!(counts(&world, BO).await, (1, 0));
    world.ok(WriteKind::Kick { channel: SECRET, by: by(ANN), user: BO }).await;
    assert_eq!(counts(&world, BO).await, (0, 0));
    assert_eq!(world.store.followed(WS, BO, Ts::MAX, 10).await.unwrap(), []);
    let channel: ChannelId = SECRET;
    world.ok(WriteKind::Invite { channel, by: by(ANN), users: vec![BO], force: false }).await;
    assert_eq!(counts(&world, BO).await, (1, 0));
}

#[tokio::test]
async fn mentions_are_those_of_others_where_one_is() {
    let mut world = World::new().await;
    let calling = |channel, author, text: &str, users: Vec<UserId>, everyone| Draft {
        mentions: users,
        mentions_everyone: everyone,
        ..draft(channel, author, text)
    };
    let parent = world.posted(draft(SECRET, BO, "parent")).await.ts;
    let named = world.posted(calling(SECRET, ANN, "named", vec![BO], false)).await.ts;
    let own = calling(SECRET, BO, "own", vec![BO], true);
    world.posted(own).await;
    let all = world.posted(calling(GENERAL, ANN, "all", vec![BO], true)).await.ts;
    let inner = Draft { thread: Some(parent), ..calling(SECRET, ANN, "inner", vec![BO], false) };
    let inner = world.posted(inner).await.ts;
    let deleted = world.posted(calling(GENERAL, ANN, "deleted", vec![BO], false)).await.ts;
    world.ok(WriteKind::Delete { channel: GENERAL, ts: deleted, by: by(ANN) }).await;
    let found = async |world: &World, who, after, limit| -> Vec<Ts> {
        let page = world.store.mentioning(WS, who, after, limit).await.unwrap();
        page.iter().map(|message| message.ts).collect()
    };
    assert_eq!(found(&world, BO, None, 10).await, [inner, all, named], "each once, whoever it calls besides");
    assert_eq!(found(&world, BO, None, 1).await, [inner]);
    assert_eq!(found(&world, BO, Some((all, GENERAL)), 10).await, [named]);
    assert_eq!(found(&world, CY, None, 10).await, [all], "of what one is not in nothing is told");
    // Who is removed has only what is left, and what called everybody before they came back is not theirs.
    world.ok(WriteKind::Kick { channel: SECRET, by: by(ANN), user: BO }).await;
    assert_eq!(found(&world, BO, None, 10).await, [all]);
    world.posted(calling(SECRET, ANN, "to who is there", vec![], true)).await;
    world.ok(WriteKind::Invite { channel: SECRET, by: by(ANN), users: vec![BO], force: false }).await;
    assert_eq!(found(&world, BO, None, 10).await, [inner, all, named]);
}
