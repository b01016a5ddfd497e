//! What the workspace's preferences allow.

use model::{ChannelId, ChannelKind, ChannelName, EventKind, Role, TeamPreferences, TopicId, UserId};
use serde_json::{Value, json};
use store::{By, NewInvite, Outcome, Refusal, SecretHash, WriteKind};

use crate::world::*;

const ADMIN: UserId = UserId::from_raw(24);

fn admin() -> By {
    By { user: ADMIN, role: Role::Admin }
}

fn set_by(by: By, pairs: &[(&str, Value)]) -> WriteKind {
    let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    WriteKind::SetTeamPreferences { by, values, default_channels: None }
}

fn set(pairs: &[(&str, Value)]) -> WriteKind {
    set_by(by(ANN), pairs)
}

fn defaults(channels: &[ChannelId]) -> WriteKind {
    WriteKind::SetTeamPreferences {
        by: by(ANN),
        values: Vec::new(),
        default_channels: Some(channels.to_vec()),
    }
}

/// Ann owns, an admin, Bo and Cy are members.
async fn world() -> World {
    let mut world = World::new().await;
    world.ok(WriteKind::AddPerson(Box::new(person(ADMIN, "adm", Role::Admin)))).await;
    world
}

#[tokio::test]
async fn preferences_are_told_once_and_stay() {
    let mut world = world().await;
    let write = set(&[("who_can_post_general", json!("admin")), ("msg_edit_window_mins", json!(5))]);
    let outcome = world.run(write.clone()).await;
    let told: Vec<(TopicId, String, String)> = outcome
        .events
        .iter()
        .map(|event| match &event.kind {
            EventKind::TeamPreferenceChanged { name, value } => (event.topic.id, name.clone(), value.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let all = TopicId::Workspace(WS);
    let expect = [
        (all, "msg_edit_window_mins".to_owned(), "5".to_owned()),
        (all, "who_can_post_general".to_owned(), "\"admin\"".to_owned()),
    ];
    assert_eq!(told, expect);
    assert!(world.run(write).await.events.is_empty(), "they were that already");
    let world = world.reopen().await;
    let (preferences, channels) = world.store.team_preferences(WS).await.unwrap();
    let expect = TeamPreferences {
        post_general: model::Who::Admins,
        edit_window_min: 5,
        ..TeamPreferences::default()
    };
    assert_eq!((preferences.clone(), channels.clone()), (expect, vec![GENERAL, RANDOM]));
    let boot = world.store.boot(WS, BO).await.unwrap().unwrap();
    assert_eq!(boot.team_preferences, (preferences, channels));
}

#[tokio::test]
async fn who_may_set_them() {
    let mut world = world().await;
    let narrow = [("who_can_post_general", json!("admin"))];
    assert_eq!(world.refused(set_by(by(BO), &narrow)).await, Refusal::NotAllowed);
    world.ok(set_by(admin(), &narrow)).await;
    // What is, or would be, the owners' alone only they change.
    let owners = [("who_can_post_general", json!("owner"))];
    assert_eq!(world.refused(set_by(admin(), &owners)).await, Refusal::NotAllowed);
    world.ok(set(&owners)).await;
    assert_eq!(world.refused(set_by(admin(), &narrow)).await, Refusal::NotAllowed);
    for wrong in [("who_can_post_general", json!("nobody")), ("who_can_dance", json!("admin"))] {
        let both = [("allow_message_deletion", json!(false)), wrong];
        assert_eq!(world.refused(set(&both)).await, Refusal::NoSuchPreference);
    }
    assert!(world.store.team_preferences(WS).await.unwrap().0.allow_deletion, "all or nothing");
}

#[tokio::test]
async fn general_is_for_whom_it_is() {
    let mut world = world().await;
    let before = world.say(GENERAL, BO, "before").await;
    world.ok(set(&[("who_can_post_general", json!("admin"))])).await;
    assert_eq!(world.refused(post(draft(GENERAL, BO, "x"))).await, Refusal::NotAllowed);
    let mut reply = draft(GENERAL, BO, "x");
    reply.thread = Some(before.ts);
    assert_eq!(world.refused(post(reply)).await, Refusal::NotAllowed);
    world.say(GENERAL, ADMIN, "admin").await;
    world.say(RANDOM, BO, "elsewhere").await;
    // A repeated post gets its first answer whatever was decided since.
    let mut keyed = draft(GENERAL, ADMIN, "once");
    keyed.client_msg_id = Some(key(1));
    let first = world.posted(keyed.clone()).await;
    world.ok(set(&[("who_can_post_general", json!("owner"))])).await;
    assert_eq!(world.posted(keyed).await.ts, first.ts);
    assert_eq!(world.refused(post(draft(GENERAL, ADMIN, "x"))).await, Refusal::NotAllowed);
    world.say(GENERAL, ANN, "owner").await;
    world.ok(set(&[("who_can_post_general", json!("ra"))])).await;
    world.say(GENERAL, BO, "after").await;
    assert_eq!(world.said(GENERAL).await, ["after", "owner", "once", "admin", "before"]);
}

#[tokio::test]
async fn who_may_not_mention_everybody_mentions_nobody() {
    let mut world = world().await;
    world.ok(set(&[("who_can_at_channel", json!("admin"))])).await;
    let mentions = async |world: &World| {
        let (_, own) = world.store.channel(WS, RANDOM, Some(CY)).await.unwrap().unwrap();
        own.unwrap().mention_count
    };
    let loud = |author| {
        let mut loud = draft(RANDOM, author, "<!channel>");
        loud.mentions_everyone = true;
        loud
    };
    let quiet = world.posted(loud(BO)).await;
    assert_eq!(mentions(&world).await, 0);
    world.posted(loud(ADMIN)).await;
    assert_eq!(mentions(&world).await, 1);
    let WriteKind::Edit { channel, ts, by, text, .. } = edit(RANDOM, quiet.ts, BO, "<!here>") else {
        panic!()
    };
    let louder = WriteKind::Edit {
        channel,
        ts,
        by,
        text,
        blocks: None,
        attachments: None,
        metadata: None,
        broadcast: None,
        mentions: vec![CY],
        mentions_everyone: true,
    };
    world.ok(louder).await;
    assert_eq!(mentions(&world).await, 2, "by name they may");
}

#[tokio::test]
async fn channels_are_made_archived_and_cleared_by_whom_the_workspace_lets() {
    let mut world = world().await;
    let create = |raw, name: &str, private, by| WriteKind::CreateChannel {
        id: ChannelId::from_raw(raw),
        name: ChannelName::parse(name).unwrap(),
        private,
        by,
    };
    let kick = |channel, by, user| WriteKind::Kick { channel, by, user };
    let archive = |channel, by| WriteKind::Archive { channel, by };
    let unarchive = |channel, by| WriteKind::Unarchive { channel, by };
    let own = ChannelId::from_raw(40);
    world.ok(create(40, "own", false, by(BO))).await;
    world.ok(WriteKind::Join { channel: own, by: by(CY) }).await;
    // As it is at first: admins, and whoever made it.
    assert_eq!(world.refused(kick(RANDOM, by(BO), CY)).await, Refusal::NotAllowed);
    world.ok(kick(own, by(BO), CY)).await;
    let all = json!("admin");
    let names = [
        "who_can_create_channels",
        "who_can_create_groups",
        "who_can_archive_channels",
        "who_can_kick_groups",
    ];
    world.ok(set(&names.map(|name| (name, all.clone())))).await;
    for refused in [
        create(41, "public", false, by(BO)),
        create(41, "private", true, by(BO)),
        archive(own, by(BO)),
        kick(SECRET, by(BO), ANN),
    ] {
        assert_eq!(world.refused(refused.clone()).await, Refusal::NotAllowed, "{refused:?}");
    }
    // Creating one that is there already is a retry, and answered as the first time.
    world.ok(create(40, "own", false, by(BO))).await;
    world.ok(create(42, "theirs", true, admin())).await;
    world.ok(archive(own, admin())).await;
    assert_eq!(world.refused(unarchive(own, by(BO))).await, Refusal::NotAllowed);
    world.ok(unarchive(own, admin())).await;
    world.ok(set(&[("who_can_kick_channels", json!("regular"))])).await;
    world.ok(kick(RANDOM, by(BO), CY)).await;
    let invite = |by| {
        let invite = NewInvite { code: SecretHash::of("c"), email: None, expires: START * 2, uses_max: 1 };
        WriteKind::CreateInvite { by, invite }
    };
    assert_eq!(world.refused(invite(by(BO))).await, Refusal::NotAllowed);
    world.ok(set(&[("who_can_invite", json!("regular"))])).await;
    world.ok(invite(by(BO))).await;
}

#[tokio::test]
async fn messages_are_changed_while_the_workspace_lets() {
    let mut world = world().await;
    let message = world.say(RANDOM, BO, "one").await;
    world.ok(set(&[("msg_edit_window_mins", json!(1))])).await;
    world.ok(edit(RANDOM, message.ts, BO, "two")).await;
    world.now += 61_000_000;
    assert_eq!(world.refused(edit(RANDOM, message.ts, BO, "three")).await, Refusal::EditWindowClosed);
    let fresh = world.say(RANDOM, BO, "fresh").await;
    world.ok(set(&[("msg_edit_window_mins", json!(0))])).await;
    assert_eq!(world.refused(edit(RANDOM, fresh.ts, BO, "x")).await, Refusal::EditWindowClosed);
    world.ok(set(&[("msg_edit_window_mins", json!(-1))])).await;
    world.ok(edit(RANDOM, message.ts, BO, "three")).await;
    world.ok(set(&[("allow_message_deletion", json!(false))])).await;
    let delete = |by| WriteKind::Delete { channel: RANDOM, ts: message.ts, by };
    assert_eq!(world.refused(delete(by(BO))).await, Refusal::CantDelete);
    world.ok(delete(admin())).await;
    assert_eq!(world.said(RANDOM).await, ["fresh"]);
}

#[tokio::test]
async fn newcomers_join_the_default_channels() {
    let mut world = world().await;
    let news = ChannelId::from_raw(40);
    let name = ChannelName::parse("news").unwrap();
    world.ok(WriteKind::CreateChannel { id: news, name, private: false, by: by(ANN) }).await;
    let outcome = world.run(defaults(&[news])).await;
    let EventKind::TeamPreferenceChanged { name, value } = &outcome.events[0].kind else { panic!() };
    assert_eq!(
        (name.as_str(), value),
        ("default_channels", &json!([GENERAL.to_string(), news.to_string()]).to_string())
    );
    assert!(world.run(defaults(&[GENERAL, news])).await.events.is_empty());
    let dee = UserId::from_raw(30);
    world.ok(WriteKind::AddPerson(Box::new(person(dee, "dee", Role::Member)))).await;
    for (channel, expect) in [(GENERAL, true), (news, true), (RANDOM, false)] {
        let (_, own) = world.store.channel(WS, channel, Some(dee)).await.unwrap().unwrap();
        assert_eq!(own.is_some(), expect, "{channel}");
    }
    assert_eq!(world.refused(defaults(&[SECRET])).await, Refusal::ChannelNotFound);
    assert_eq!(world.refused(defaults(&[ChannelId::from_raw(99)])).await, Refusal::ChannelNotFound);
    world.ok(WriteKind::Archive { channel: RANDOM, by: by(ANN) }).await;
    assert_eq!(world.refused(defaults(&[RANDOM])).await, Refusal::IsArchived);
    assert_eq!(world.store.team_preferences(WS).await.unwrap().1, [GENERAL, news]);
}

#[tokio::test]
async fn a_default_channel_that_cannot_be_joined_is_told_to_be_none() {
    let mut world = world().await;
    world.ok(defaults(&[RANDOM])).await;
    let told = |outcome: &Outcome| {
        outcome.events.iter().find_map(|event| match &event.kind {
            EventKind::TeamPreferenceChanged { name, value } if name == "default_channels" => {
                Some(value.clone())
            }
            _ => None,
        })
    };
    let list = |channels: &[ChannelId]| {
        let ids: Vec<String> = channels.iter().map(ToString::to_string).collect();
        Some(json!(ids).to_string())
    };
    for (write, expect) in [
        (WriteKind::Archive { channel: RANDOM, by: admin() }, list(&[GENERAL])),
        (WriteKind::Unarchive { channel: RANDOM, by: admin() }, list(&[GENERAL, RANDOM])),
        (WriteKind::Convert { channel: RANDOM, by: admin(), to: ChannelKind::Private }, list(&[GENERAL])),
        // It is none any more.
        (WriteKind::Convert { channel: RANDOM, by: admin(), to: ChannelKind::Public }, None),
        (WriteKind::Archive { channel: RANDOM, by: admin() }, None),
    ] {
        let outcome = world.run(write).await;
        assert_eq!(told(&outcome), expect);
        if let Some(expect) = expect {
            let now = world.store.team_preferences(WS).await.unwrap().1;
            assert_eq!(list(&now), Some(expect), "what is told is what is there");
        }
    }
}
