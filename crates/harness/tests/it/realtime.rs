//! The realtime protocol and RTM, as far as one needs no crash for it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::history::{Snapshot, check};
use harness::http::Api;
use harness::listener::{Orders, Stopwatch, listen};
use harness::sandbox::Sandbox;
use harness::socket::{FRAME_WITHIN, Frame, Positions, Socket, boot_positions};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

async fn live(api: &Api) -> Result<(Socket, Positions)> {
    let positions = boot_positions(api).await?;
    let mut socket = Socket::realtime(api).await?;
    socket.resume(&positions).await?;
    socket.all_live(&positions).await?;
    Ok((socket, positions))
}

fn is(kind: &str, topic: &str) -> impl Fn(&Value) -> bool {
    move |frame| frame["type"] == kind && frame["t"] == topic
}

#[tokio::test]
async fn each_event_reaches_each_device_with_the_next_position() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let general = server.channel("general")?;
    let (mut hers, positions) = live(&ann).await?;
    let (mut her_phone, _) = live(&ann).await?;
    let (mut his, _) = live(&bo).await?;
    let ts = ann.post(general, "hello").await?;
    bo.ok("reactions.add", &[("channel", general), ("timestamp", &ts), ("name", "wave")]).await?;
    bo.ok("reactions.remove", &[("channel", general), ("timestamp", &ts), ("name", "wave")]).await?;
    ann.ok("chat.update", &[("channel", general), ("ts", &ts), ("text", "hello!")]).await?;
    let reply = [("channel", general), ("thread_ts", ts.as_str()), ("text", "hi")];
    let reply = bo.ok("chat.postMessage", &reply).await?;
    bo.ok("chat.delete", &[("channel", general), ("ts", reply["ts"].as_str().unwrap())]).await?;
    let head = positions[general].1;
    for socket in [&mut hers, &mut her_phone, &mut his] {
        let mut kinds = Vec::new();
        for seq in head + 1..=head + 6 {
            let event =
                socket.until("the next event of general", |frame| frame["_p"]["t"] == general).await?;
            assert_eq!(event["_p"]["s"], seq, "{event}");
            kinds.push(match event["subtype"].as_str() {
                Some(subtype) => subtype.to_owned(),
                None => event["type"].as_str().unwrap().to_owned(),
            });
        }
        let wanted = [
            "message",
            "reaction_added",
            "reaction_removed",
            "message_changed",
            "message",
            "message_deleted",
        ];
        assert_eq!(kinds, wanted);
    }
    Ok(())
}

#[tokio::test]
async fn fifty_missed_messages_come_once_and_in_order() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let general = server.channel("general")?;
    let clock = Stopwatch::start();
    let base = ann.snapshot(general).await?;
    let positions = boot_positions(&ann).await?;
    assert_eq!(positions[general].1, base.seq);
    let (up, is_up) = watch::channel(true);
    let (until, is_until) = watch::channel(None);
    let orders = Orders { up: is_up, until: is_until };
    let bases: BTreeMap<String, Snapshot> = [(general.to_owned(), base)].into();
    // Ann was offline all the time: she resumes from before.
    for n in 0..50 {
        bo.post(general, &format!("message {n}")).await?;
    }
    let listening = tokio::spawn(listen(ann.clone(), "ann".into(), positions, bases, clock, orders));
    for n in 50..60 {
        bo.post(general, &format!("message {n}")).await?;
    }
    let end = ann.snapshot(general).await?;
    until.send_replace(Some([(general.to_owned(), end.seq)].into()));
    let listener = listening.await??;
    drop(up);
    let history = harness::history::History {
        listeners: vec![listener],
        finals: [(general.to_owned(), end)].into(),
        deliver_within: 2_000_000,
        deliver_since: 0,
        ..Default::default()
    };
    assert_eq!(check(&history), vec![]);
    Ok(())
}

#[tokio::test]
async fn a_pull_brings_what_is_after_a_position() -> Result<()> {
    let server = Sandbox::start().await?;
    let ann = server.person(0)?;
    let general = server.channel("general")?;
    let (mut socket, positions) = live(&ann).await?;
    let (generation, head) = positions[general];
    let from = head.saturating_sub(5);
    socket.send(&json!({"type": "pull", "t": general, "g": generation, "s": from})).await?;
    let mut position = from;
    loop {
        let frame = socket.until("a page or live", |frame| frame["t"] == general).await?;
        if frame["type"] == "_live" {
            assert_eq!(frame["s"], head, "{frame}");
            break;
        }
        assert_eq!(frame["type"], "_page", "{frame}");
        assert_eq!(frame["from"], position, "{frame}");
        position = frame["to"].as_u64().unwrap();
    }
    assert_eq!(position, head);
    Ok(())
}

#[tokio::test]
async fn deleted_content_does_not_come_back() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let general = server.channel("general")?;
    let positions = boot_positions(&ann).await?;
    let first = bo.post(general, "canary-deleted-7261").await?;
    let second = bo.post(general, "canary-before-edit-7262").await?;
    bo.ok("chat.update", &[("channel", general), ("ts", &second), ("text", "after the edit")]).await?;
    bo.ok("chat.delete", &[("channel", general), ("ts", &first)]).await?;
    let mut socket = Socket::realtime(&ann).await?;
    socket.resume(&positions).await?;
    let frames = socket.all_live(&positions).await?;
    let text = format!("{frames:?}");
    assert!(text.contains("after the edit"));
    assert!(!text.contains("canary-deleted-7261"), "{text}");
    assert!(!text.contains("canary-before-edit-7262"), "{text}");
    Ok(())
}

#[tokio::test]
async fn joining_while_connected_brings_the_channel_and_leaving_takes_it() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let bo_id = server.seed.people[1].id.as_str();
    let made = ann.ok("conversations.create", &[("name", "later"), ("is_private", "1")]).await?;
    let channel = made["channel"]["id"].as_str().unwrap();
    ann.post(channel, "before he came").await?;
    let (mut his, _) = live(&bo).await?;
    ann.ok("conversations.invite", &[("channel", channel), ("users", bo_id)]).await?;
    let joined = his.until("group_joined", |frame| frame["type"] == "group_joined").await?;
    assert_eq!(joined["_p"]["t"], bo_id);
    assert_eq!(joined["_p"]["channel"]["t"], channel, "the change's position in the channel: {joined}");
    let start = his.until("_live", is("_live", channel)).await?["s"].as_u64().unwrap();
    let ts = ann.post(channel, "welcome").await?;
    let event = his.until("the message", |frame| frame["ts"] == ts.as_str()).await?;
    assert!(event["_p"]["s"].as_u64().unwrap() > start);
    ann.ok("conversations.kick", &[("channel", channel), ("user", bo_id)]).await?;
    let mut left = false;
    let mut gone = false;
    while !(left && gone) {
        match his.next(FRAME_WITHIN).await? {
            Frame::Json(frame) => {
                left |= frame["type"] == "group_left" && frame["_p"]["t"] == bo_id;
                gone |= frame["type"] == "_gone" && frame["t"] == channel;
            }
            closed => panic!("{closed:?}"),
        }
    }
    ann.post(channel, "canary-after-kick-9911").await?;
    bo.post(server.channel("general")?, "a fence").await?;
    let fence = his.until("the fence", |frame| {
        assert!(!frame.to_string().contains("canary-after-kick-9911"), "{frame}");
        frame["text"] == "a fence"
    });
    fence.await?;
    assert_eq!(bo.refused("conversations.history", &[("channel", channel)]).await?, "channel_not_found");
    Ok(())
}

#[tokio::test]
async fn a_mark_and_a_dm_reach_the_other_device() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let general = server.channel("general")?;
    let ts = bo.post(general, "read me").await?;
    let (mut phone, _) = live(&ann).await?;
    ann.ok("conversations.mark", &[("channel", general), ("ts", &ts)]).await?;
    let marked = phone.until("channel_marked", |frame| frame["type"] == "channel_marked").await?;
    assert_eq!((&marked["channel"], &marked["ts"]), (&json!(general), &json!(ts)));
    assert_eq!(marked["_p"]["t"], server.seed.people[0].id.as_str());
    // A group DM that did not exist.
    let users =
        server.seed.people.iter().skip(1).map(|person| person.id.as_str()).collect::<Vec<_>>().join(",");
    let opened =
        bo.ok("conversations.open", &[("users", &format!("{},{}", server.seed.people[0].id, users))]).await;
    let opened = match opened {
        Ok(opened) => opened,
        Err(_) => ann.ok("conversations.open", &[("users", &users)]).await?,
    };
    let group = opened["channel"]["id"].as_str().unwrap();
    bo.post(group, "psst").await?;
    phone.until("the group's message", |frame| frame["text"] == "psst").await?;
    Ok(())
}

#[tokio::test]
async fn typing_is_shown_to_others_and_moves_no_position() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let general = server.channel("general")?;
    let (mut hers, _) = live(&ann).await?;
    let (mut his, _) = live(&bo).await?;
    // A signal may be lost on a connection whose subscription is not through yet; an event shows that it is.
    let fence = bo.post(general, "a fence").await?;
    for socket in [&mut hers, &mut his] {
        socket.until("the fence", |frame| frame["ts"] == fence.as_str()).await?;
    }
    hers.send(&json!({"type": "typing", "channel": general})).await?;
    let typing = his.until("user_typing", |frame| frame["type"] == "user_typing").await?;
    assert_eq!(typing["channel"], general);
    assert_eq!(typing["user"], server.seed.people[0].id.as_str());
    assert!(typing.get("_p").is_none(), "{typing}");
    let own = hers.drain(9).await?;
    assert!(own.iter().all(|frame| frame["type"] != "user_typing"), "{own:?}");
    Ok(())
}

#[tokio::test]
async fn rtm_acknowledges_answers_and_does_not_echo() -> Result<()> {
    let server = Sandbox::start().await?;
    let (bot, bo) = (server.bot(), server.person(1)?);
    let general = server.channel("general")?;
    bot.call("conversations.join", &[("channel", general)]).await?;
    let mut rtm = Socket::rtm(&bot).await?;
    let (mut his, _) = live(&bo).await?;
    rtm.send(&json!({"id": 5, "type": "ping", "extra": "x"})).await?;
    let pong = rtm.until("pong", |frame| frame["type"] == "pong").await?;
    assert_eq!((&pong["reply_to"], &pong["extra"]), (&json!(5), &json!("x")));

    rtm.send(&json!({"id": 6, "type": "message", "channel": general, "text": "over rtm"})).await?;
    let ack = rtm.until("the ack", |frame| frame["reply_to"] == 6).await?;
    assert_eq!(ack["ok"], true, "{ack}");
    assert_eq!(ack["text"], "over rtm");
    assert!(ack.get("type").is_none(), "{ack}");
    let ts = ack["ts"].as_str().context("ts")?;
    let seen = his.until("the message", |frame| frame["ts"] == ts).await?;
    assert_eq!(seen["text"], "over rtm");

    rtm.send(&json!({"id": 7, "type": "message", "channel": general, "text": ""})).await?;
    let error = rtm.until("the refusal", |frame| frame["reply_to"] == 7).await?;
    assert_eq!(error["ok"], false);
    assert_eq!(error["error"]["code"], 2, "{error}");
    assert_eq!(error["error"]["msg"], "message text is missing");

    // What is posted by the API is echoed; what is sent here is not.
    let posted = bot.post(general, "over the api").await?;
    let echo = rtm.until("the echo", |frame| {
        assert_ne!(frame["text"], "over rtm", "{frame}");
        frame["ts"] == posted.as_str()
    });
    let echo = echo.await?;
    assert_eq!(echo["channel"], general);
    assert!(echo.get("_p").is_none(), "RTM knows no positions: {echo}");

    rtm.send(&json!({"id": 8, "type": "typing", "channel": general})).await?;
    his.until("user_typing", |frame| frame["type"] == "user_typing").await?;
    Ok(())
}

#[tokio::test]
async fn what_rtm_takes_is_what_was_sent_or_an_error() -> Result<()> {
    let server = Sandbox::start().await?;
    let ann = server.person(0)?;
    let general = server.channel("general")?;
    let parent = ann.post(general, "parent").await?;
    let mut rtm = Socket::rtm(&ann).await?;
    // A ts as a number and a flag as 1, as some clients write them: it lands in the thread.
    let frame = format!(
        r#"{{"id":1,"type":"message","channel":"{general}","text":"in the thread","thread_ts":{parent},"reply_broadcast":1}}"#
    );
    rtm.send_raw(Message::text(frame)).await?;
    let ack = rtm.until("the ack", |frame| frame["reply_to"] == 1).await?;
    let replies = ann.ok("conversations.replies", &[("channel", general), ("ts", &parent)]).await?;
    assert_eq!(replies["messages"][1]["ts"], ack["ts"], "{replies}");
    assert_eq!(replies["messages"][1]["subtype"], "thread_broadcast", "{replies}");
    let before = ann.snapshot(general).await?;
    for (id, member, wrong) in [
        (2, "thread_ts", json!([parent])),
        (3, "client_msg_id", json!({})),
        (4, "reply_broadcast", json!("perhaps")),
        (5, "blocks", json!([])),
        (6, "attachments", json!([{"text": "lost"}])),
    ] {
        let mut frame = json!({"id": id, "type": "message", "channel": general, "text": "not posted"});
        frame[member] = wrong;
        rtm.send(&frame).await?;
        let answer = rtm.until("the refusal", |frame| frame["reply_to"] == id).await?;
        assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!(3)), "{answer}");
        assert!(answer["error"]["msg"].as_str().is_some_and(|why| why.contains(member)), "{answer}");
    }
    assert_eq!(ann.snapshot(general).await?, before, "something was posted all the same");
    Ok(())
}

#[tokio::test]
async fn rtm_hears_of_a_reply_also_as_message_replied() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let (ann_id, bo_id) = (&server.seed.people[0].id, &server.seed.people[1].id);
    let general = server.channel("general")?;
    let parent = ann.post(general, "parent").await?;
    let (mut hers, mut his) = (Socket::rtm(&ann).await?, Socket::rtm(&bo).await?);
    let reply = json!({"id": 1, "type": "message", "channel": general, "text": "reply", "thread_ts": parent});
    his.send(&reply).await?;
    // To others it comes after the reply; to the socket that sent the reply, too.
    let event = hers.until("the reply", |frame| frame["thread_ts"] == parent.as_str()).await?;
    assert_eq!(event["text"], "reply", "{event}");
    for socket in [&mut hers, &mut his] {
        let event = socket.until("message_replied", |frame| frame["subtype"] == "message_replied").await?;
        assert_eq!((&event["type"], &event["hidden"]), (&json!("message"), &json!(true)), "{event}");
        assert_eq!(event["channel"], general, "{event}");
        let message = &event["message"];
        assert_eq!((&message["ts"], &message["thread_ts"]), (&json!(parent), &json!(parent)), "{event}");
        assert_eq!(message["user"], ann_id.as_str(), "{event}");
        assert_eq!(
            (&message["reply_count"], &message["reply_users"]),
            (&json!(1), &json!([bo_id])),
            "{event}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_reader_that_pauses_loses_nothing_and_costs_others_nothing() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let general = server.channel("general")?.to_owned();
    let base = ann.snapshot(&general).await?;
    let (mut slow, positions) = live(&ann).await?;
    let (mut quick, _) = live(&bo).await?;
    // More than any socket buffer and budget holds, while she reads nothing.
    let text = "x".repeat(20_000);
    for n in 0..400 {
        let ts = bo.post(&general, &format!("{n} {text}")).await?;
        quick.until("the other reader", |frame| frame["ts"] == ts.as_str()).await?;
    }
    let head = ann.snapshot(&general).await?.seq;
    let mut position = positions[&general].1;
    let mut heads = 0;
    let read = async {
        while position < head {
            let Frame::Json(frame) = slow.next(FRAME_WITHIN).await? else {
                anyhow::bail!("closed at {position}")
            };
            if frame["_p"]["t"] == general.as_str() {
                assert_eq!(frame["_p"]["s"], position + 1);
                position += 1;
            } else if frame["t"] == general.as_str() {
                match frame["type"].as_str() {
                    Some("_page") => {
                        assert_eq!(frame["from"], position);
                        position = frame["to"].as_u64().unwrap();
                    }
                    Some("_head") => {
                        heads += 1;
                        let pull =
                            json!({"type": "pull", "t": general, "g": positions[&general].0, "s": position});
                        slow.send(&pull).await?;
                    }
                    _ => {}
                }
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), read).await.context("60 s")??;
    assert_eq!(position, head);
    assert_eq!(position - base.seq, 400);
    println!("degraded to _head {heads} times");
    Ok(())
}
