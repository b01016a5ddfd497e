//! Our own protocol, as `docs/api/realtime.md` has it.

use rpc::{Effect, Protocol};
use serde_json::json;

use crate::world::{AdoptedSocketPlan, World, channel, user};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_starts_and_is_live() {
    let world = World::start().await;
    world.add_member(user(1), channel(1));
    world.commit(channel(1), Effect::None, "before");
    let mut client = world.connect_live(user(1)).await;
    world.post(channel(1), "now").await;
    let frame = client.frame().await;
    assert_eq!(
        frame,
        json!({"type": "message", "text": "now", "_p": {"t": channel(1).to_string(), "g": 1, "s": 2}})
    );
    client.send(r#"{"type":"ping","id":7}"#).await;
    assert_eq!(client.frame().await, json!({"type": "pong", "reply_to": 7}));
    client.send(r#"{"type":"something new"}"#).await;
    client.nothing_more().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cursor_gets_an_answer() {
    let world = World::start().await;
    for number in 1..=6 {
        world.add_member(user(1), channel(number));
        for _ in 0..250 {
            world.commit(channel(number), Effect::None, "old");
        }
    }
    let mut client = world.connect(user(1)).await;
    let resume = json!({"type": "resume", "positions": {
        channel(1).to_string(): [1, 20],
        channel(2).to_string(): [1, 250],
        channel(3).to_string(): [1, 251],
        channel(4).to_string(): [2, 5],
        channel(5).to_string(): [-1, 5.5],
        channel(9).to_string(): [1, 1],
        user(2).to_string(): [1, 0],
        "nonsense\"": [1, 1],
        "": "x",
    }});
    client.send(&resume.to_string()).await;
    let mut answers: Vec<String> = Vec::new();
    let mut page_to = 20;
    // 8 topics of one's own end with _live or _reset; 4 foreign ones with _gone.
    while answers.len() < 12 {
        let frame = client.frame().await;
        let topic = frame["t"].as_str().unwrap().to_owned();
        if frame["type"] == "_page" {
            assert_eq!(topic, channel(1).to_string());
            assert_eq!(frame["from"], page_to);
            page_to = frame["to"].as_u64().unwrap();
            let events = frame["events"].as_array().unwrap();
            assert_eq!(events.last().unwrap()["_p"]["s"], page_to);
            assert_eq!(frame["more"], page_to < 250);
        } else {
            answers.push(format!("{} {topic} {}", frame["type"].as_str().unwrap(), frame["s"]));
        }
    }
    assert_eq!(page_to, 250);
    answers.sort();
    let mut expect = vec![
        format!("_live {} 250", channel(1)),
        format!("_live {} 250", channel(2)),
        format!("_reset {} 250", channel(3)),
        format!("_reset {} 250", channel(4)),
        format!("_reset {} 250", channel(5)),
        format!("_live {} 250", channel(6)),
        format!("_live {} 0", user(1)),
        "_live T000000000001 0".to_owned(),
        format!("_gone {} null", channel(9)),
        format!("_gone {} null", user(2)),
        "_gone nonsense\" null".to_owned(),
        "_gone  null".to_owned(),
    ];
    expect.sort();
    assert_eq!(answers, expect);
    for number in 1..=6 {
        world.post(channel(number), "live").await;
        assert_eq!(client.event().await, (channel(number), 251));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_brings_what_was_missed_and_is_gone_for_strangers() {
    let world = World::start().await;
    world.add_member(user(1), channel(1));
    let mut client = world.connect_live(user(1)).await;
    for _ in 0..3 {
        world.post(channel(1), "x").await;
        client.event().await;
    }
    client.send(&json!({"type": "pull", "t": channel(1).to_string(), "g": 1, "s": 1}).to_string()).await;
    let page = client.frame().await;
    assert_eq!((&page["type"], &page["from"], &page["to"]), (&json!("_page"), &json!(1), &json!(3)));
    assert_eq!(client.frame().await["type"], "_live");
    for foreign in [channel(2).to_string(), "x".to_owned()] {
        client.send(&json!({"type": "pull", "t": foreign, "g": 1, "s": 1}).to_string()).await;
        assert_eq!(client.frame().await, json!({"type": "_gone", "t": foreign}));
    }
    client.send(&json!({"type": "pull", "t": channel(1).to_string(), "g": 9, "s": 1}).to_string()).await;
    assert_eq!(client.frame().await["type"], "_reset");
    world.post(channel(1), "y").await;
    assert_eq!(client.event().await, (channel(1), 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_and_leaving_while_connected() {
    let world = World::start().await;
    let mut client = world.connect_live(user(1)).await;
    world.commit(channel(1), Effect::None, "before the join");
    world.change(user(1), channel(1), true).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let frame = client.frame().await;
        seen.push(format!("{} {} {}", frame["type"], frame["t"], frame["_p"]));
    }
    seen.sort();
    let (c, u) = (channel(1), user(1));
    assert_eq!(
        seen,
        [
            format!("\"_live\" \"{c}\" null"),
            format!("\"message\" null {{\"g\":1,\"s\":1,\"t\":\"{u}\"}}"),
            format!("\"message\" null {{\"g\":1,\"s\":2,\"t\":\"{c}\"}}"),
        ]
    );
    world.post(channel(1), "inside").await;
    assert_eq!(client.event().await, (channel(1), 3));
    world.change(user(1), channel(1), false).await;
    world.post(channel(1), "outside").await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let frame = client.frame().await;
        seen.push(format!("{} {} {}", frame["type"], frame["t"], frame["_p"]["s"]));
    }
    seen.sort();
    assert_eq!(
        seen,
        [format!("\"_gone\" \"{c}\" null"), "\"message\" null 2".into(), "\"message\" null 4".into()]
    );
    client.nothing_more().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_reader_resumes_exactly_on_the_same_socket() {
    const EVENTS: u64 = 3_000;
    let world = World::start().await;
    world.add_member(user(1), channel(1));
    world.add_member(user(2), channel(1));
    let mut plan = AdoptedSocketPlan::new(world.ticket(user(1), Protocol::Own), Protocol::Own);
    plan.receive_buffer_bytes = Some(8 << 10);
    let mut slow = world.adopt(plan).await;
    slow.frame().await;
    slow.send(r#"{"type":"resume","positions":{}}"#).await;
    let mut quick = world.connect_live(user(2)).await;
    let text = "x".repeat(1_000);
    // Another reader gets everything at once while the slow one reads nothing.
    let mut read = 0;
    for _ in 0..EVENTS / 100 {
        world.post_many(channel(1), 100, &text).await;
        for _ in 0..100 {
            read += 1;
            assert_eq!(quick.event().await, (channel(1), read));
        }
    }
    let mut position = 0;
    let mut heads = 0;
    while position < EVENTS {
        let frame = slow.frame().await;
        match frame["type"].as_str().unwrap() {
            "message" => {
                position += 1;
                assert_eq!(frame["_p"]["s"], position);
            }
            "_page" => {
                assert_eq!(frame["from"], position);
                for event in frame["events"].as_array().unwrap() {
                    position += 1;
                    assert_eq!(event["_p"]["s"], position);
                }
                assert_eq!(frame["to"], position);
            }
            "_head" => {
                heads += 1;
                assert!(frame["s"].as_u64().unwrap() > position);
                let pull = json!({"type": "pull", "t": channel(1).to_string(), "g": 1, "s": position});
                slow.send(&pull.to_string()).await;
            }
            "_live" => {}
            other => panic!("{other}"),
        }
    }
    assert!(heads > 0, "it was never degraded: the test proves nothing");
    assert_eq!(slow.frame().await["type"], "_live");
    world.post(channel(1), "live again").await;
    assert_eq!(slow.event().await, (channel(1), EVENTS + 1));
    slow.nothing_more().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_with_the_handshake_is_not_lost() {
    let world = World::start().await;
    let mut plan = AdoptedSocketPlan::new(world.ticket(user(1), Protocol::Own), Protocol::Own);
    // {"type":"ping"} with a mask of zeros, in two parts: one here, one on the socket.
    let payload = br#"{"type":"ping","id":1}"#;
    let mut frame = vec![0x81, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(payload);
    plan.early = frame.clone().into();
    let mut client = world.adopt(plan).await;
    assert_eq!(client.frame().await["type"], "hello");
    assert_eq!(client.frame().await["reply_to"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_sessions_get_every_event_once() {
    const SESSIONS: u64 = 1_000;
    const EVENTS: u64 = 50;
    let world = World::start().await;
    for number in 0..SESSIONS {
        world.add_member(user(number), channel(1));
    }
    let mut clients = Vec::new();
    for number in 0..SESSIONS {
        clients.push(world.connect_live(user(number)).await);
        if number % 100 == 0 {
            world.post(channel(1), "during the connecting").await;
        }
    }
    let before = SESSIONS / 100;
    world.post_many(channel(1), EVENTS, "x").await;
    for (number, client) in (0_u64..).zip(&mut clients) {
        let mut last = None;
        while last != Some(before + EVENTS) {
            let (topic, seq) = client.event().await;
            assert_eq!(topic, channel(1));
            assert!(last.is_none_or(|last| seq == last + 1), "session {number}: {seq} after {last:?}");
            last = Some(seq);
        }
    }
    // A loop counts its sockets once a second: one that was on its way to it then is missing until the next time.
    let all = usize::try_from(SESSIONS).unwrap();
    let began = std::time::Instant::now();
    while world.gateway.health().sessions != all {
        let sessions = world.gateway.health().sessions;
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{sessions} sessions");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(world.gateway.health().stuck.is_empty());
}
