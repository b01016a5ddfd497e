//! I5: nothing of a private channel reaches anyone who is not in it.

use anyhow::Result;
use harness::sandbox::Sandbox;
use harness::socket::{Frame, Socket, boot_positions};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn the_canary_of_a_private_channel_is_in_no_byte_for_others() -> Result<()> {
    let server = Sandbox::start().await?;
    let canary = format!("canary{}", uuid::Uuid::new_v4().simple());
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let mut realtime = Socket::realtime(&bo).await?;
    realtime.resume(&boot_positions(&bo).await?).await?;
    let mut bot = Socket::rtm(&server.bot()).await?;

    // Ann does everything that leaves traces.
    let name = format!("p-{}", &canary[..20]);
    let made = ann.ok("conversations.create", &[("name", &name), ("is_private", "1")]).await?;
    let channel = made["channel"]["id"].as_str().unwrap().to_owned();
    let ts = ann.post(&channel, &canary).await?;
    let reply = [("channel", channel.as_str()), ("thread_ts", ts.as_str()), ("text", canary.as_str())];
    let reply = ann.ok("chat.postMessage", &reply).await?;
    ann.ok("chat.update", &[("channel", &channel), ("ts", &ts), ("text", &format!("{canary}!"))]).await?;
    ann.ok("reactions.add", &[("channel", &channel), ("timestamp", &ts), ("name", "wave")]).await?;
    ann.ok("conversations.setTopic", &[("channel", &channel), ("topic", &canary)]).await?;
    ann.ok("conversations.setPurpose", &[("channel", &channel), ("purpose", &canary)]).await?;
    ann.ok("chat.delete", &[("channel", &channel), ("ts", reply["ts"].as_str().unwrap())]).await?;
    let own = ann.ok("conversations.history", &[("channel", &channel)]).await?;
    assert!(own.to_string().contains(&canary), "she does see it");

    // Everything that Bo and the bot can get hold of.
    let mut bytes = String::new();
    let mut note = |what: &str, text: &str| {
        assert!(!text.contains(&canary) && !text.contains(&name), "{what}: {text}");
        assert!(!text.contains(&channel), "{what} names the channel: {text}");
        bytes.push_str(text);
    };
    let fence = bo.post(server.channel("general")?, "a fence").await?;
    for socket in [&mut realtime, &mut bot] {
        loop {
            match socket.next(harness::socket::FRAME_WITHIN).await? {
                Frame::Json(frame) => {
                    note("a socket", &frame.to_string());
                    if frame["ts"] == fence.as_str() {
                        break;
                    }
                }
                closed => panic!("{closed:?}"),
            }
        }
    }
    for api in [&bo, &server.bot()] {
        for (method, arguments) in [
            ("client.userBoot", vec![]),
            (
                "conversations.list",
                vec![("types", "public_channel,private_channel,mpim,im"), ("limit", "1000")],
            ),
            ("users.conversations", vec![("types", "public_channel,private_channel,mpim,im")]),
            (
                "users.conversations",
                vec![("user", server.seed.people[0].id.as_str()), ("types", "private_channel")],
            ),
            ("users.list", vec![]),
            ("users.info", vec![("user", server.seed.people[0].id.as_str())]),
            ("team.info", vec![]),
        ] {
            note(method, &api.call(method, &arguments).await?.to_string());
        }
        for (method, more) in [
            ("conversations.info", vec![]),
            ("conversations.history", vec![]),
            ("conversations.replies", vec![("ts", ts.as_str())]),
            ("conversations.members", vec![]),
            ("reactions.get", vec![("timestamp", ts.as_str())]),
            ("chat.getPermalink", vec![("message_ts", ts.as_str())]),
            ("parlance.journey", vec![("ts", ts.as_str())]),
        ] {
            let arguments = [vec![("channel", channel.as_str())], more].concat();
            let answer = api.call(method, &arguments).await?;
            assert_eq!(answer["ok"], false, "{method} answered {answer}");
            note(method, &answer.to_string());
        }
    }
    // A socket that asks for it by name.
    let mut asking = Socket::realtime(&bo).await?;
    asking.send(&json!({"type": "resume", "positions": {channel.as_str(): [1, 0]}})).await?;
    asking.send(&json!({"type": "pull", "t": channel, "g": 1, "s": 0})).await?;
    asking.send(&json!({"type": "typing", "channel": channel})).await?;
    for frame in asking.drain(3).await? {
        assert!(!frame.to_string().contains(&canary), "{frame}");
    }
    // Operators see no content either.
    let nobody = harness::http::Api::new(server.url(), None);
    for path in ["/metrics", "/healthz", "/readyz", "/"] {
        note(path, &nobody.request(Method::GET, path).send().await?.text().await?);
    }
    let log = server.log();
    assert!(!log.contains(&canary) && !log.contains(&name), "the log has the canary");
    assert!(!log.contains(&server.seed.bot.token), "the log has a token");
    assert!(bytes.len() > 10_000, "there was something to look through");
    Ok(())
}
