//! Posting, editing, deleting, threads, reactions, reading back.

use model::{ChannelId, EventKind, Reaction, Subtype, Ts};
use store::{By, Done, REACTION_KINDS_MAX, Range, Refusal, WriteKind};

use crate::world::*;

#[tokio::test]
async fn a_post_is_there_after_reopening_and_newest_comes_first() {
    let mut world = World::new().await;
    let first = world.say(GENERAL, ANN, "one").await;
    let second = world.say(GENERAL, BO, "two").await;
    assert!(second.ts > first.ts);
    let world = world.reopen().await;
    assert_eq!(world.said(GENERAL).await, ["two", "one"]);
    let read = world.store.message(WS, GENERAL, first.ts).await.unwrap().unwrap();
    assert_eq!(read, first);
}

#[tokio::test]
async fn ts_and_seq_increase_even_when_the_clock_goes_back() {
    let mut world = World::new().await;
    let mut last = Ts::ZERO;
    for jump in [0, -3 * 3_600_000_000, 5, 3 * 3_600_000_000, -3 * 3_600_000_000i64] {
        world.now += jump;
        let message = world.say(GENERAL, ANN, "tick").await;
        assert!(message.ts > last, "jump {jump}");
        last = message.ts;
    }
    let events = world.log_of(model::TopicId::Channel(GENERAL)).await;
    let seqs: Vec<u64> = events.iter().map(|event| event.seq().raw()).collect();
    assert_eq!(seqs, (1..=u64::try_from(events.len()).unwrap()).collect::<Vec<_>>(), "dense from 1");
    assert!(events.windows(2).all(|pair| pair[0].at < pair[1].at));
}

#[tokio::test]
async fn one_key_one_message_for_ever() {
    let mut world = World::new().await;
    let keyed = || model::Draft { client_msg_id: Some(key(7)), ..draft(GENERAL, BO, "once") };
    let first = world.posted(keyed()).await;
    let again = world.ok(post(keyed())).await;
    assert_eq!(again, Done::Posted { message: Box::new(first.clone()), repeated: true });

    // In one batch, after an edit, after deletion, after leaving, after archiving: always the first ts.
    let outcomes = world.batch(vec![post(keyed()), post(keyed())]).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.events.is_empty()));
    world.ok(edit(GENERAL, first.ts, BO, "changed")).await;
    let Done::Posted { message, repeated: true } = world.ok(post(keyed())).await else { panic!() };
    assert_eq!((message.ts, message.text.as_str()), (first.ts, "changed"));
    world.ok(WriteKind::Delete { channel: GENERAL, ts: first.ts, by: by(BO) }).await;
    let Done::Posted { message, repeated: true } = world.ok(post(keyed())).await else { panic!() };
    assert_eq!(message.ts, first.ts);
    assert_eq!(world.said(GENERAL).await, Vec::<String>::new());

    // The key belongs to the author and the channel.
    let other =
        world.posted(model::Draft { client_msg_id: Some(key(7)), ..draft(GENERAL, CY, "mine") }).await;
    assert_ne!(other.ts, first.ts);
    let other =
        world.posted(model::Draft { client_msg_id: Some(key(7)), ..draft(RANDOM, BO, "there") }).await;
    assert_eq!(other.text.as_str(), "there");
}

#[tokio::test]
async fn a_retry_after_removal_gets_its_first_answer() {
    let mut world = World::new().await;
    let keyed = || model::Draft { client_msg_id: Some(key(1)), ..draft(SECRET, BO, "hello") };
    let first = world.posted(keyed()).await;
    world.ok(WriteKind::Kick { channel: SECRET, by: by(ANN), user: BO }).await;
    let Done::Posted { message, repeated: true } = world.ok(post(keyed())).await else { panic!() };
    assert_eq!(message.ts, first.ts);
    assert_eq!(world.refused(post(draft(SECRET, BO, "new"))).await, Refusal::ChannelNotFound);
}

#[tokio::test]
async fn items_of_a_batch_see_their_predecessors() {
    let mut world = World::new().await;
    let kick = WriteKind::Kick { channel: SECRET, by: by(ANN), user: BO };
    let outcomes = world
        .batch(vec![
            post(draft(SECRET, BO, "before")),
            kick,
            post(draft(SECRET, BO, "after")),
            post(draft(SECRET, ANN, "on")),
        ])
        .await
        .unwrap();
    let results: Vec<_> = outcomes.iter().map(|outcome| outcome.result.as_ref().err().copied()).collect();
    assert_eq!(results, [None, None, Some(Refusal::ChannelNotFound), None]);
    assert_eq!(world.said(SECRET).await, ["on", "before"]);
}

#[tokio::test]
async fn who_may_not_post_is_told_why() {
    let mut world = World::new().await;
    assert_eq!(world.refused(post(draft(SECRET, CY, "x"))).await, Refusal::ChannelNotFound);
    assert_eq!(world.refused(post(draft(ChannelId::from_raw(99), CY, "x"))).await, Refusal::ChannelNotFound);
    world.ok(WriteKind::Leave { channel: RANDOM, by: by(CY) }).await;
    assert_eq!(world.refused(post(draft(RANDOM, CY, "x"))).await, Refusal::NotInChannel);
    let without =
        WriteKind::Post { draft: Box::new(draft(RANDOM, CY, "x")), public_without_membership: true };
    world.ok(without).await;
    let without =
        WriteKind::Post { draft: Box::new(draft(SECRET, CY, "x")), public_without_membership: true };
    assert_eq!(world.refused(without).await, Refusal::ChannelNotFound);
    assert_eq!(world.refused(post(draft(GENERAL, ANN, " \n"))).await, Refusal::NoText);
    world.ok(WriteKind::Archive { channel: RANDOM, by: by(ANN) }).await;
    assert_eq!(world.refused(post(draft(RANDOM, ANN, "x"))).await, Refusal::IsArchived);
    assert_eq!(
        world.refused(WriteKind::Archive { channel: RANDOM, by: by(ANN) }).await,
        Refusal::AlreadyArchived
    );
    let elsewhere =
        store::Write { workspace: model::WorkspaceId::from_raw(2), kind: post(draft(GENERAL, ANN, "x")) };
    let outcome = world.log.commit(vec![elsewhere], START).await.unwrap().pop().unwrap();
    assert_eq!(outcome.result, Err(Refusal::NotHere));
}

#[tokio::test]
async fn edits_keep_versions_and_only_the_author_edits() {
    let mut world = World::new().await;
    let message = world.say(GENERAL, BO, "teh").await;
    assert_eq!(world.refused(edit(GENERAL, message.ts, ANN, "no")).await, Refusal::CantUpdate);
    let outcome = world.run(edit(GENERAL, message.ts, BO, "the")).await;
    let EventKind::MessageChanged { message: now, previous: Some(previous) } = &outcome.events[0].kind else {
        panic!()
    };
    assert_eq!((now.text.as_str(), previous.text.as_str()), ("the", "teh"));
    assert_eq!(now.edited.map(|(user, _)| user), Some(BO));
    assert_eq!(now.revision, 2);
    assert_eq!(world.said(GENERAL).await, ["the"]);
    assert_eq!(world.refused(edit(GENERAL, Ts::from_micros(5), BO, "x")).await, Refusal::MessageNotFound);
    assert_eq!(world.refused(edit(GENERAL, message.ts, BO, " ")).await, Refusal::NoText);
    let join = world.history(GENERAL).await.pop().unwrap();
    assert!(matches!(join.subtype, Some(Subtype::ChannelJoin { .. })));
    assert_eq!(world.refused(edit(GENERAL, join.ts, join.author, "x")).await, Refusal::CantUpdate);
}

#[tokio::test]
async fn a_deleted_message_leaves_no_content() {
    let mut world = World::new().await;
    let message = world.say(GENERAL, BO, "canary-7f3a").await;
    world.ok(edit(GENERAL, message.ts, BO, "canary-7f3b")).await;
    assert_eq!(
        world.refused(WriteKind::Delete { channel: GENERAL, ts: message.ts, by: by(CY) }).await,
        Refusal::CantDelete
    );
    world.ok(WriteKind::Delete { channel: GENERAL, ts: message.ts, by: by(ANN) }).await;
    let again = WriteKind::Delete { channel: GENERAL, ts: message.ts, by: by(ANN) };
    assert_eq!(world.refused(again).await, Refusal::MessageNotFound);
    assert_eq!(world.store.message(WS, GENERAL, message.ts).await.unwrap(), None);
    let log = format!("{:?}", world.log_of(model::TopicId::Channel(GENERAL)).await);
    assert!(!log.contains("canary"), "deleted content came back from the log");
    let Some(path) = world.path() else { return };
    let connection = rusqlite::Connection::open(path.join("parlance.db")).unwrap();
    for (table, column) in
        [("messages", "body"), ("message_versions", "body"), ("events", "coalesce(data, '')")]
    {
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} LIKE '%canary%'");
        let left: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
}

#[tokio::test]
async fn threads_count_their_replies() {
    let mut world = World::new().await;
    let parent = world.say(GENERAL, ANN, "question").await;
    let reply = |author, body: &str| model::Draft { thread: Some(parent.ts), ..draft(GENERAL, author, body) };
    let first = world.posted(reply(BO, "r1")).await;
    world.posted(reply(CY, "r2")).await;
    let outcome = world.run(post(reply(BO, "r3"))).await;
    let EventKind::Message { message: last, parent: Some(seen) } = &outcome.events[0].kind else { panic!() };
    let replies = seen.replies.clone().unwrap();
    assert_eq!((replies.count, replies.user_count, replies.latest), (3, 2, last.ts));
    assert_eq!(replies.users, [BO, CY]);
    assert_eq!(last.parent_author, Some(ANN));
    assert_eq!(world.said(GENERAL).await, ["question"], "replies are not in the channel");

    let page = world.store.replies(WS, GENERAL, parent.ts, all()).await.unwrap().unwrap();
    assert_eq!(page.parent.replies, Some(replies));
    let texts: Vec<&str> = page.page.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["r1", "r2", "r3"], "oldest first");
    assert_eq!(
        world.store.replies(WS, GENERAL, first.ts, all()).await.unwrap(),
        None,
        "a reply has no thread"
    );

    let to_reply = model::Draft { thread: Some(first.ts), ..draft(GENERAL, ANN, "x") };
    assert_eq!(world.refused(post(to_reply)).await, Refusal::CannotReply);
    let to_nothing = model::Draft { thread: Some(Ts::from_micros(9)), ..draft(GENERAL, ANN, "x") };
    assert_eq!(world.refused(post(to_nothing)).await, Refusal::ThreadNotFound);

    let broadcast = world.posted(model::Draft { broadcast: true, ..reply(ANN, "all") }).await;
    assert_eq!(broadcast.subtype, Some(Subtype::ThreadBroadcast));
    assert_eq!(world.history(GENERAL).await[0].ts, broadcast.ts);
}

#[tokio::test]
async fn a_deleted_parent_stays_as_a_tombstone_until_its_last_reply_goes() {
    let mut world = World::new().await;
    let parent = world.say(GENERAL, ANN, "question").await;
    let reply = world.posted(model::Draft { thread: Some(parent.ts), ..draft(GENERAL, BO, "r") }).await;
    let outcome = world.run(WriteKind::Delete { channel: GENERAL, ts: parent.ts, by: by(ANN) }).await;
    let EventKind::MessageDeleted { tombstone: Some(tombstone), .. } = &outcome.events[0].kind else {
        panic!()
    };
    assert_eq!((tombstone.subtype.clone(), tombstone.text.as_str()), (Some(Subtype::Tombstone), ""));
    assert_eq!(world.history(GENERAL).await[0].subtype, Some(Subtype::Tombstone));
    let outcome = world.run(WriteKind::Delete { channel: GENERAL, ts: reply.ts, by: by(BO) }).await;
    assert_eq!(outcome.events.len(), 2, "the reply and then the tombstone");
    assert!(world.said(GENERAL).await.is_empty());
    assert!(world.store.message(WS, GENERAL, parent.ts).await.unwrap().is_none());
}

#[tokio::test]
async fn reactions_are_sets_in_order_of_first_use() {
    let mut world = World::new().await;
    let message = world.say(GENERAL, ANN, "nice").await;
    let react = |user, name: &str| WriteKind::React {
        channel: GENERAL,
        ts: message.ts,
        by: by(user),
        name: name.to_owned(),
    };
    let unreact = |user, name: &str| WriteKind::Unreact {
        channel: GENERAL,
        ts: message.ts,
        by: by(user),
        name: name.to_owned(),
    };
    world.ok(react(BO, "wave")).await;
    world.ok(react(ANN, "tada")).await;
    world.ok(react(CY, "wave")).await;
    assert_eq!(world.refused(react(BO, "wave")).await, Refusal::AlreadyReacted);
    assert_eq!(world.refused(unreact(BO, "tada")).await, Refusal::NoReaction);
    let expect = |names: &[(&str, &[model::UserId])]| -> Vec<Reaction> {
        names
            .iter()
            .map(|(name, users)| Reaction { name: (*name).to_owned(), users: users.to_vec() })
            .collect()
    };
    let world_reactions = world.history(GENERAL).await[0].reactions.clone();
    assert_eq!(world_reactions, expect(&[("wave", &[BO, CY]), ("tada", &[ANN])]));
    world.ok(unreact(BO, "wave")).await;
    world.ok(react(BO, "wave")).await;
    let again = world.history(GENERAL).await[0].reactions.clone();
    assert_eq!(again, expect(&[("tada", &[ANN]), ("wave", &[CY, BO])]), "taken back and given again is last");
    for number in 2..REACTION_KINDS_MAX {
        world.ok(react(ANN, &format!("e{number}"))).await;
    }
    assert_eq!(world.refused(react(ANN, "one-more")).await, Refusal::TooManyEmoji);
    let secret = world.say(SECRET, ANN, "x").await;
    let stranger = By { user: CY, ..by(CY) };
    let peek = WriteKind::React { channel: SECRET, ts: secret.ts, by: stranger, name: "wave".to_owned() };
    assert_eq!(world.refused(peek).await, Refusal::ChannelNotFound);
}

#[tokio::test]
async fn a_reaction_given_taken_and_given_again_in_one_batch_is_there() {
    let mut world = World::new().await;
    let message = world.say(GENERAL, ANN, "nice").await;
    let (channel, ts, name) = (GENERAL, message.ts, "wave".to_owned());
    let give = || WriteKind::React { channel, ts, by: by(BO), name: name.clone() };
    let take = || WriteKind::Unreact { channel, ts, by: by(BO), name: name.clone() };
    world.batch(vec![give(), take(), give()]).await.unwrap();
    assert_eq!(world.history(GENERAL).await[0].reactions.len(), 1);
    world.batch(vec![take(), give(), take()]).await.unwrap();
    assert_eq!(world.history(GENERAL).await[0].reactions, []);
}

#[tokio::test]
async fn pages_of_history_follow_slacks_bounds() {
    let mut world = World::new().await;
    let mut ts = Vec::new();
    for number in 0..6 {
        ts.push(world.say(SECRET, ANN, &number.to_string()).await.ts);
    }
    let read = async |range: Range| {
        let page = world.store.history(WS, SECRET, range).await.unwrap();
        let texts: Vec<String> =
            page.messages.into_iter().map(|message| message.text.into_string()).collect();
        (texts.join(""), page.has_more)
    };
    let range = |oldest, latest, inclusive, limit, from_oldest| Range {
        oldest,
        latest,
        inclusive,
        limit,
        from_oldest,
    };
    assert_eq!(read(range(ts[0], Ts::MAX, false, 3, false)).await, ("543".to_owned(), true));
    assert_eq!(read(range(ts[0], Ts::MAX, true, 6, false)).await, ("543210".to_owned(), false));
    assert_eq!(read(range(ts[1], ts[4], false, 9, false)).await, ("32".to_owned(), false));
    assert_eq!(read(range(ts[1], ts[4], true, 9, false)).await, ("4321".to_owned(), false));
    assert_eq!(read(range(ts[0], Ts::MAX, false, 2, true)).await, ("21".to_owned(), true));
}
