//! Channels and who is in them; unread and mentions.

use model::{ChannelId, ChannelKind, ChannelName, EventKind, Position, TopicId, Ts, UserId};
use store::{ChannelsQuery, Done, Refusal, WriteKind};

use crate::world::*;

fn kinds(events: &[model::Event]) -> Vec<(&'static str, TopicId)> {
    let name = |kind: &EventKind| match kind {
        EventKind::MemberJoined { .. } => "member_joined",
        EventKind::MemberLeft { .. } => "member_left",
        EventKind::Joined { .. } => "joined",
        EventKind::Left { .. } => "left",
        EventKind::Message { .. } => "message",
        EventKind::ChannelCreated(_) => "channel_created",
        EventKind::Marked { .. } => "marked",
        _ => "other",
    };
    events.iter().map(|event| (name(&event.kind), event.topic.id)).collect()
}

#[tokio::test]
async fn a_join_is_in_the_channels_topic_and_in_the_persons() {
    let mut world = World::new().await;
    let id = ChannelId::from_raw(40);
    let name = ChannelName::parse("new").unwrap();
    let outcome =
        world.run(WriteKind::CreateChannel { id, name: name.clone(), private: false, by: by(ANN) }).await;
    let (channel, person) = (TopicId::Channel(id), TopicId::User(ANN));
    assert_eq!(
        kinds(&outcome.events),
        [
            ("channel_created", TopicId::Workspace(WS)),
            ("member_joined", channel),
            ("joined", person),
            ("message", channel)
        ]
    );
    let outcome = world.run(WriteKind::Join { channel: id, by: by(BO) }).await;
    let joined_at = outcome.events[0].position;
    let EventKind::Joined { at, .. } = outcome.events[1].kind else { panic!() };
    assert_eq!(at, joined_at, "the personal event carries the channel's position");
    let again = world.run(WriteKind::Join { channel: id, by: by(BO) }).await;
    assert_eq!((again.result, again.events.len()), (Ok(Done::Membership { changed: false }), 0));
    let outcome = world.run(WriteKind::Leave { channel: id, by: by(BO) }).await;
    assert_eq!(
        kinds(&outcome.events),
        [("member_left", channel), ("left", TopicId::User(BO)), ("message", channel)]
    );
    let EventKind::Left { at, .. } = outcome.events[1].kind else { panic!() };
    assert_eq!(at, outcome.events[0].position);
    assert_eq!(world.store.members(WS, id, None, 10).await.unwrap(), [ANN]);
    let other = WriteKind::CreateChannel { id: ChannelId::from_raw(41), name, private: true, by: by(BO) };
    assert_eq!(world.refused(other).await, Refusal::NameTaken);
}

#[tokio::test]
async fn rules_of_leaving_removing_and_archiving() {
    let mut world = World::new().await;
    let leave = |channel, user| WriteKind::Leave { channel, by: by(user) };
    assert_eq!(world.refused(leave(GENERAL, BO)).await, Refusal::CantLeaveGeneral);
    assert_eq!(world.refused(leave(SECRET, CY)).await, Refusal::ChannelNotFound);
    world.ok(leave(SECRET, BO)).await;
    assert_eq!(world.refused(leave(SECRET, ANN)).await, Refusal::LastMember);
    let kick = |channel, who, user| WriteKind::Kick { channel, by: by(who), user };
    assert_eq!(world.refused(kick(GENERAL, ANN, BO)).await, Refusal::CantKickFromGeneral);
    assert_eq!(world.refused(kick(RANDOM, BO, CY)).await, Refusal::NotAllowed);
    assert_eq!(world.refused(kick(SECRET, ANN, BO)).await, Refusal::TargetNotInChannel);
    assert_eq!(world.refused(kick(RANDOM, ANN, UserId::from_raw(999))).await, Refusal::UserNotFound);
    world.ok(kick(RANDOM, ANN, BO)).await;
    assert_eq!(
        world.refused(WriteKind::Archive { channel: GENERAL, by: by(ANN) }).await,
        Refusal::CantArchiveGeneral
    );
    assert_eq!(
        world.refused(WriteKind::Archive { channel: RANDOM, by: by(BO) }).await,
        Refusal::NotInChannel
    );
}

#[tokio::test]
async fn an_invitation_is_all_or_nothing_unless_forced() {
    let mut world = World::new().await;
    let ghost = UserId::from_raw(999);
    let invite = |users: Vec<UserId>, force| WriteKind::Invite { channel: SECRET, by: by(ANN), users, force };
    let Done::Invited(answers) = world.ok(invite(vec![CY, ghost, BO, ANN], false)).await else { panic!() };
    let expect = [
        (CY, Ok(())),
        (ghost, Err(Refusal::UserNotFound)),
        (BO, Err(Refusal::AlreadyInChannel)),
        (ANN, Err(Refusal::NotAllowed)),
    ];
    assert_eq!(answers, expect);
    assert_eq!(world.store.members(WS, SECRET, None, 10).await.unwrap(), [ANN, BO], "nobody came");
    let outcome = world.run(invite(vec![CY, ghost], true)).await;
    assert!(outcome.result.is_ok());
    assert_eq!(world.store.members(WS, SECRET, None, 10).await.unwrap(), [ANN, BO, CY]);
    let EventKind::MemberJoined { inviter, .. } = outcome.events[0].kind else { panic!() };
    assert_eq!(inviter, Some(ANN));
}

#[tokio::test]
async fn the_same_people_share_one_dm() {
    let mut world = World::new().await;
    let open = |raw, user, others: Vec<UserId>| WriteKind::OpenDirect {
        id: if others.len() > 1 { ChannelId::from_random(raw) } else { ChannelId::direct_from_random(raw) },
        by: by(user),
        others,
        only_existing: false,
    };
    let Done::Channel { id, existed: false } = world.ok(open(50, ANN, vec![BO])).await else { panic!() };
    assert_eq!(world.ok(open(51, BO, vec![ANN])).await, Done::Channel { id, existed: true });
    let (channel, membership) = world.store.channel(WS, id, Some(BO)).await.unwrap().unwrap();
    assert_eq!((channel.kind, channel.direct_members), (ChannelKind::Direct, vec![ANN, BO]));
    assert_eq!(membership.unwrap().joined, Position::START);
    assert_eq!(world.refused(post(draft(id, CY, "x"))).await, Refusal::ChannelNotFound);
    world.say(id, BO, "hi").await;
    let Done::Channel { id: group, .. } = world.ok(open(52, ANN, vec![BO, CY])).await else { panic!() };
    let (channel, _) = world.store.channel(WS, group, Some(CY)).await.unwrap().unwrap();
    assert_eq!((channel.kind, channel.name.as_str()), (ChannelKind::GroupDirect, "mpdm-ann--bo--cy-1"));
    let Done::Channel { id: alone, .. } = world.ok(open(53, CY, vec![])).await else { panic!() };
    assert_eq!(world.store.members(WS, alone, None, 9).await.unwrap(), [CY]);
    let unknown = WriteKind::OpenDirect {
        id: ChannelId::direct_from_random(54),
        by: by(ANN),
        others: vec![CY],
        only_existing: true,
    };
    assert_eq!(world.refused(unknown).await, Refusal::ChannelNotFound);
    assert_eq!(world.refused(WriteKind::Leave { channel: id, by: by(ANN) }).await, Refusal::WrongChannelKind);
}

#[tokio::test]
async fn unread_and_mentions_follow_what_was_said_and_read() {
    let mut world = World::new().await;
    let state = async |world: &World, user| {
        let (channel, membership) = world.store.channel(WS, RANDOM, Some(user)).await.unwrap().unwrap();
        let membership = membership.unwrap();
        (channel.latest > membership.last_read, membership.mention_count)
    };
    assert_eq!(state(&world, BO).await, (false, 0), "joining notices do not count");
    let plain = world.say(RANDOM, ANN, "hello").await;
    assert_eq!((state(&world, BO).await, state(&world, ANN).await), ((true, 0), (false, 0)));
    world.posted(model::Draft { mentions: vec![BO], ..draft(RANDOM, ANN, "bo!") }).await;
    let everybody = world
        .posted(model::Draft { mentions: vec![BO], mentions_everyone: true, ..draft(RANDOM, ANN, "all") })
        .await;
    assert_eq!((state(&world, BO).await, state(&world, CY).await), ((true, 2), (true, 1)));
    let outcome = world.run(WriteKind::Mark { channel: RANDOM, by: by(BO), ts: plain.ts }).await;
    let EventKind::Marked { mention_count, has_unreads, .. } = outcome.events[0].kind else { panic!() };
    assert_eq!((mention_count, has_unreads), (2, true));
    world.ok(WriteKind::Mark { channel: RANDOM, by: by(BO), ts: everybody.ts }).await;
    assert_eq!(state(&world, BO).await, (false, 0));
    world.ok(WriteKind::Delete { channel: RANDOM, ts: everybody.ts, by: by(ANN) }).await;
    assert_eq!(state(&world, CY).await, (true, 0), "the deleted mention is gone, two messages are left");
    world.ok(WriteKind::Mark { channel: RANDOM, by: by(BO), ts: Ts::ZERO }).await;
    assert_eq!(state(&world, BO).await, (true, 1), "mark unread goes back");
    assert_eq!(
        world.refused(WriteKind::Mark { channel: SECRET, by: by(CY), ts: plain.ts }).await,
        Refusal::ChannelNotFound
    );
}

#[tokio::test]
async fn lists_show_what_the_viewer_may_see() {
    let mut world = World::new().await;
    world.ok(WriteKind::Leave { channel: RANDOM, by: by(CY) }).await;
    let list = async |viewer, member, exclude_archived| {
        let kinds =
            vec![ChannelKind::Public, ChannelKind::Private, ChannelKind::Direct, ChannelKind::GroupDirect];
        let query = ChannelsQuery { viewer, member, kinds, exclude_archived, after: None, limit: 100 };
        let found = world.store.channels(WS, query).await.unwrap();
        found.into_iter().map(|(channel, _)| channel.name).collect::<Vec<_>>()
    };
    assert_eq!(list(CY, None, false).await, ["general", "random"]);
    assert_eq!(list(BO, None, false).await, ["general", "random", "secret"]);
    assert_eq!(list(CY, Some(CY), false).await, ["general"]);
    assert_eq!(list(CY, Some(BO), false).await, ["general", "random"], "not what only Bo may see");
}

#[tokio::test]
async fn a_boot_has_every_own_topic_with_its_head() {
    let mut world = World::new().await;
    world.say(SECRET, ANN, "x").await;
    let boot = world.store.boot(WS, BO).await.unwrap().unwrap();
    let names: Vec<&str> = boot.channels.iter().map(|(channel, _)| channel.name.as_str()).collect();
    assert_eq!(names, ["general", "random", "secret"]);
    for (id, position) in &boot.topics {
        assert_eq!(world.head(*id).await, *position);
    }
    let topics: Vec<TopicId> = boot.topics.iter().map(|(id, _)| *id).collect();
    assert!(topics.contains(&TopicId::User(BO)) && topics.contains(&TopicId::Workspace(WS)));
    let others = world.store.boot(WS, CY).await.unwrap().unwrap().topics;
    assert!(!others.iter().any(|(id, _)| *id == TopicId::Channel(SECRET)));
    let start = world.store.session(WS, BO, model::CredentialId([0; 16]), world.now).await.unwrap();
    assert_eq!(start.topics, boot.topics, "a session starts where the client does");
    assert!(world.store.boot(WS, UserId::from_raw(999)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_mark_in_the_future_hides_nothing_that_comes() {
    let mut world = World::new().await;
    let newest = world.say(GENERAL, ANN, "read").await.ts;
    world.ok(WriteKind::Mark { channel: GENERAL, by: by(BO), ts: Ts::MAX }).await;
    let (_, own) = world.store.channel(WS, GENERAL, Some(BO)).await.unwrap().unwrap();
    assert!(own.unwrap().last_read <= newest);
    let mut draft = draft(GENERAL, ANN, "unread");
    draft.mentions = vec![BO];
    world.ok(post(draft)).await;
    let (channel, own) = world.store.channel(WS, GENERAL, Some(BO)).await.unwrap().unwrap();
    let own = own.unwrap();
    assert!(channel.latest > own.last_read);
    assert_eq!(own.mention_count, 1);
}
