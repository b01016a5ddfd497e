//! The internal API: tickets, boot, catch-up, RTM.

use api::{
    internal::Internal,
    role::{Config, RateLimits},
};
use model::{Epoch, HeadRead, NodeId, Position, SessionId, Topic, TopicId, TraceId};
use rpc::{Actor, BootError, Call, Effect, EventsPage, EventsRequest, Protocol, RtmSend, Web};
use serde_json::{Value, json};

use crate::world::{Person, World, config};

fn call() -> Call {
    Call {
        caller: NodeId { name: "gateway-1".to_owned(), incarnation: 1 },
        epoch: Epoch(1),
        trace: TraceId(7),
        timeout: rpc::call::TIMEOUT_DEFAULT,
    }
}

async fn ticket(world: &World, who: &Person, method: &str) -> String {
    let answer = world.call(who, method, json!({})).await;
    let url = answer["url"].as_str().unwrap();
    assert!(url.starts_with("ws://chat.example.org/"), "{url}");
    url.split_once("?ticket=").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_ticket_is_used_once_and_in_time() {
    let world = World::new().await;
    let internal = Internal::new(world.app.clone());
    let own = ticket(&world, &world.bob, "realtime.connect").await;
    let boot = internal.boot(&call(), own.clone(), None).await.unwrap();
    assert_eq!((boot.protocol, boot.actor.user), (Protocol::Own, world.bob.id));
    for topic in
        [TopicId::Channel(world.general), TopicId::User(world.bob.id), TopicId::Workspace(world.team)]
    {
        assert!(boot.topics.iter().any(|(id, _)| *id == topic), "{topic}");
    }
    assert_eq!(internal.boot(&call(), own, None).await, Err(BootError::Ticket));
    let rtm = ticket(&world, &world.bot, "rtm.connect").await;
    let boot = internal.boot(&call(), rtm, Some("http://anything.example".to_owned())).await.unwrap();
    assert!(boot.protocol == Protocol::Rtm && boot.actor.bot.is_some());
    let late = ticket(&world, &world.bob, "realtime.connect").await;
    world.clock.set(world.clock.now_us() + 31_000_000);
    assert_eq!(internal.boot(&call(), late, None).await, Err(BootError::Ticket));
    for nonsense in ["", "x", "T000000000001-x"] {
        assert_eq!(internal.boot(&call(), nonsense.to_owned(), None).await, Err(BootError::Ticket));
    }
}

#[tokio::test]
async fn a_ticket_that_a_cookie_bought_needs_our_origin() {
    let world = World::new().await;
    let internal = Internal::new(world.app.clone());
    let token = world.token(model::Credential::Session, Some(world.ada.id), "").await;
    for (origin, good) in [
        (Some("http://chat.example.org"), true),
        (Some("http://evil.example"), false),
        (Some("null"), false),
        (None, false),
    ] {
        let request = http::Request::post("/realtime/v1/connect")
            .header("cookie", format!("parlance_session={token}"))
            .header("x-parlance-client", "1")
            .body(axum::body::Body::empty())
            .unwrap();
        let answer = world.send(request).await.json();
        let ticket = answer["url"].as_str().unwrap().split_once("?ticket=").unwrap().1.to_owned();
        let boot = internal.boot(&call(), ticket, origin.map(str::to_owned)).await;
        if good {
            boot.unwrap();
        } else {
            assert_eq!(boot, Err(BootError::Origin), "{origin:?}");
        }
    }
}

#[tokio::test]
async fn a_revoked_token_starts_no_session() {
    let world = World::new().await;
    let internal = Internal::new(world.app.clone());
    let ticket = ticket(&world, &world.bob, "realtime.connect").await;
    world.call(&world.bob, "parlance.signout", json!({})).await;
    assert_eq!(internal.boot(&call(), ticket, None).await, Err(BootError::Revoked));
}

#[tokio::test]
async fn catch_up_renders_what_is_there_now() {
    let world = World::new().await;
    let internal = Internal::new(world.app.clone());
    let channel = world.general.to_string();
    let topic = Topic { workspace: world.team, id: TopicId::Channel(world.general) };
    let HeadRead::At(after) = internal.heads(&call(), vec![topic]).await.unwrap()[0] else { panic!() };
    let kept = world.post(&world.ada, &channel, "kept").await;
    let gone = world.post(&world.ada, &channel, "gone").await;
    world.call(&world.ada, "chat.update", json!({"channel": channel, "ts": kept, "text": "edited"})).await;
    world.call(&world.ada, "chat.delete", json!({"channel": channel, "ts": gone})).await;
    let request = EventsRequest { topic, after, limit: 100 };
    let EventsPage::Events { events, head } = internal.events(&call(), request).await.unwrap() else {
        panic!()
    };
    assert_eq!(events.last().unwrap().position, head);
    let all: String = events.iter().map(|event| String::from_utf8_lossy(&event.body).into_owned()).collect();
    assert!(all.contains("edited") && !all.contains("gone") && !all.contains("\"kept\""), "{all}");
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event.seq().raw(), after.seq.raw() + 1 + u64::try_from(n).unwrap());
    }
    let absent = Topic { workspace: world.team, id: TopicId::Channel(model::ChannelId::from_random(1)) };
    assert_eq!(internal.heads(&call(), vec![absent]).await.unwrap(), [HeadRead::Absent]);
    let request = EventsRequest { topic: absent, after: Position::START, limit: 1 };
    assert_eq!(internal.events(&call(), request).await.unwrap(), EventsPage::Unknown);
}

#[tokio::test]
async fn joins_and_leaves_tell_the_gateways() {
    let mut world = World::new().await;
    let secret = world.private().await;
    while world.committed.try_recv().is_ok() {}
    let eve = world.eve.id;
    world
        .call(&world.ada, "conversations.invite", json!({"channel": secret, "users": eve.to_string()}))
        .await;
    world.call(&world.ada, "conversations.kick", json!({"channel": secret, "user": eve.to_string()})).await;
    let mut records = Vec::new();
    while let Ok(batch) = world.committed.try_recv() {
        records.extend(batch.records);
    }
    let channel = secret.parse().unwrap();
    let find = |wanted: fn(&Effect) -> bool| records.iter().find(|record| wanted(&record.effect)).unwrap();
    let joined = find(|effect| matches!(effect, Effect::MemberJoined(_)));
    let own = find(|effect| matches!(effect, Effect::Joined { .. }));
    assert_eq!(joined.effect, Effect::MemberJoined(eve));
    assert_eq!(own.topic.id, TopicId::User(eve));
    assert_eq!(own.effect, Effect::Joined { channel, at: joined.position });
    let left = find(|effect| matches!(effect, Effect::MemberLeft(_)));
    let own = find(|effect| matches!(effect, Effect::Left { .. }));
    assert_eq!(own.effect, Effect::Left { channel, at: left.position });
    assert!(left.position > joined.position);
    let extra: Value =
        serde_json::from_str(&format!("{{\"x\":1{}}}", String::from_utf8_lossy(&own.extra))).unwrap();
    assert_eq!(extra["channel"], json!({"t": secret, "g": 1, "s": left.seq().raw()}));
}

#[tokio::test]
async fn rtm_sends_take_the_same_path() {
    let mut world = World::new().await;
    let internal = Internal::new(world.app.clone());
    while world.committed.try_recv().is_ok() {}
    let session = SessionId(99);
    let credential = store::SecretHash::of(&world.bob.token).credential_id();
    let send = |channel: &str, text: &str, key: Option<&str>| RtmSend {
        session,
        actor: Actor { workspace: world.team, user: world.bob.id, bot: None, app: None, credential },
        channel: channel.to_owned(),
        text: text.to_owned(),
        thread_ts: None,
        reply_broadcast: false,
        client_msg_id: key.map(str::to_owned),
    };
    let general = world.general.to_string();
    let key = Some("00000000-0000-4000-8000-00000000000a");
    let first = internal.send(&call(), send(&general, "typed", key)).await.unwrap();
    assert_eq!(internal.send(&call(), send(&general, "typed", key)).await.unwrap(), first);
    let batch = world.committed.recv().await.unwrap();
    assert_eq!(batch.records.len(), 1);
    assert_eq!((batch.records[0].origin, batch.records[0].trace), (Some(session), TraceId(7)));
    for (channel, text, code, message) in [
        (general.as_str(), "", 2, "message text is missing"),
        ("C000000000001", "x", 1, "channel_not_found"),
        ("nowhere", "x", 1, "channel_not_found"),
    ] {
        let refused = internal.send(&call(), send(channel, text, None)).await.unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (code, message));
    }
    // A person types no faster than the limit; an operator may switch it off, as this world does.
    for _ in 0..100 {
        internal.send(&call(), send(&general, "fast", None)).await.unwrap();
    }
    let world = World::with(Config { rate_limits: RateLimits::Slack, ..config() }).await;
    let internal = Internal::new(world.app.clone());
    let credential = store::SecretHash::of(&world.bob.token).credential_id();
    let mut last = Ok(());
    for _ in 0..100 {
        let typed = RtmSend {
            session,
            actor: Actor { workspace: world.team, user: world.bob.id, bot: None, app: None, credential },
            channel: world.general.to_string(),
            text: "fast".to_owned(),
            thread_ts: None,
            reply_broadcast: false,
            client_msg_id: None,
        };
        last = internal.send(&call(), typed).await.map(|_| ());
    }
    assert_eq!(last.unwrap_err().code, -1);
}

#[tokio::test]
async fn a_socket_types_only_with_the_scope_to_post() {
    let world = World::new().await;
    let internal = Internal::new(world.app.clone());
    for (scopes, expect) in [
        ("rtm:stream,channels:history", Err("missing_scope")),
        ("rtm:stream,chat:write", Ok(())),
        ("client", Ok(())),
    ] {
        let token = world.token(model::Credential::User, Some(world.bob.id), scopes).await;
        let send = RtmSend {
            session: SessionId(1),
            actor: Actor {
                workspace: world.team,
                user: world.bob.id,
                bot: None,
                app: None,
                credential: store::SecretHash::of(&token).credential_id(),
            },
            channel: world.general.to_string(),
            text: "typed".to_owned(),
            thread_ts: None,
            reply_broadcast: false,
            client_msg_id: None,
        };
        let sent = internal.send(&call(), send).await.map(|_| ()).map_err(|error| error.message);
        assert_eq!(sent, expect.map_err(str::to_owned), "{scopes}");
    }
}
