//! What must be refused, over real HTTP and sockets, and that the server is none the worse for it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::http::{Api, RawAnswer, raw};
use harness::sandbox::{Options, Sandbox};
use harness::socket::{FRAME_WITHIN, Frame, Positions, Refusal, Socket, boot_positions, ticket};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{Bytes, Message};

fn post(path: &str, token: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[track_caller]
fn is_refused(answer: &RawAnswer, errors: &[&str]) {
    assert_eq!(answer.status, 200, "every answer of the API is 200 or 429: {answer:?}");
    let envelope = answer.json();
    assert_eq!(envelope["ok"], false, "{answer:?}");
    let error = envelope["error"].as_str().unwrap_or_default();
    assert!(errors.contains(&error), "{error} is none of {errors:?}");
}

#[tokio::test]
async fn bad_tokens_and_unknown_methods() -> Result<()> {
    let server = Sandbox::start().await?;
    let nobody = Api::new(server.url(), None);
    assert_eq!(nobody.refused("auth.test", &[]).await?, "not_authed");
    for token in ["xoxb-nope", "nope", "xoxb-", "xoxp-0000000000000000000000000000000000000000"] {
        assert_eq!(server.api(token).refused("auth.test", &[]).await?, "invalid_auth", "{token}");
    }
    // A token that is cut or has one letter changed.
    let token = &server.seed.bot.token;
    assert_eq!(server.api(&token[..token.len() - 1]).refused("auth.test", &[]).await?, "invalid_auth");
    assert_eq!(server.api(&format!("{token}x")).refused("auth.test", &[]).await?, "invalid_auth");
    // Unknown comes before everything else, with and without a token.
    assert_eq!(nobody.refused("no.such.method", &[]).await?, "unknown_method");
    assert_eq!(server.bot().refused("no.such.method", &[]).await?, "unknown_method");
    assert_eq!(server.bot().refused("..%2Fhealthz", &[]).await?, "unknown_method");
    Ok(())
}

#[tokio::test]
async fn an_app_level_token_is_no_bot_token() -> Result<()> {
    let server = Sandbox::start().await?;
    let app = server.api(&server.seed.app.token);
    let general = server.channel("general")?;
    let error = app.refused("chat.postMessage", &[("channel", general), ("text", "hi")]).await?;
    assert_eq!(error, "not_allowed_token_type");
    Ok(())
}

#[tokio::test]
async fn arguments_that_are_missing_or_wrong() -> Result<()> {
    let server = Sandbox::start().await?;
    let bot = server.bot();
    let general = server.channel("general")?;
    assert_eq!(bot.refused("chat.postMessage", &[("channel", general)]).await?, "no_text");
    assert_eq!(bot.refused("chat.postMessage", &[("channel", general), ("text", "")]).await?, "no_text");
    for channel in ["", "C", "C0NOTTHERE00", "general\u{0}", "💥", &"C".repeat(10_000)] {
        let error = bot.refused("chat.postMessage", &[("channel", channel), ("text", "hi")]).await?;
        assert!(
            matches!(error.as_str(), "channel_not_found" | "invalid_arguments"),
            "{channel:.20}: {error}"
        );
    }
    for ts in ["", "0", "-1.000000", "1e9", "9999999999.999999", "abc", "1712345678.0002000"] {
        let error = bot.refused("chat.update", &[("channel", general), ("ts", ts), ("text", "hi")]).await?;
        let known = ["message_not_found", "invalid_arguments", "bad_timestamp", "invalid_ts"];
        assert!(known.contains(&error.as_str()), "{ts:?}: {error}");
    }
    for (limit, cursor) in
        [("0", ""), ("-1", ""), ("100000", ""), ("ten", ""), ("10", "nonsense"), ("10", "💥")]
    {
        let answer = bot
            .call("conversations.history", &[("channel", general), ("limit", limit), ("cursor", cursor)])
            .await?;
        let error = answer["error"].as_str().unwrap_or("none");
        assert!(["none", "invalid_limit", "invalid_cursor", "invalid_arguments"].contains(&error), "{error}");
        if !cursor.is_empty() {
            assert_eq!(error, "invalid_cursor");
        }
    }
    Ok(())
}

#[tokio::test]
async fn whoever_is_not_in_a_channel_does_not_write_there() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let public = ann.ok("conversations.create", &[("name", "mine")]).await?;
    let public = public["channel"]["id"].as_str().unwrap();
    let private = ann.ok("conversations.create", &[("name", "ours"), ("is_private", "true")]).await?;
    let private = private["channel"]["id"].as_str().unwrap();
    let ts = ann.post(private, "a secret").await?;
    assert_eq!(
        bo.refused("chat.postMessage", &[("channel", public), ("text", "hi")]).await?,
        "not_in_channel"
    );
    // A private channel does not exist for others, whatever they ask.
    for (method, arguments) in [
        ("chat.postMessage", vec![("text", "hi")]),
        ("chat.update", vec![("ts", ts.as_str()), ("text", "hi")]),
        ("chat.delete", vec![("ts", ts.as_str())]),
        ("chat.getPermalink", vec![("message_ts", ts.as_str())]),
        ("chat.postEphemeral", vec![("text", "hi"), ("user", server.seed.people[0].id.as_str())]),
        ("conversations.history", vec![]),
        ("conversations.replies", vec![("ts", ts.as_str())]),
        ("conversations.info", vec![]),
        ("conversations.members", vec![]),
        ("conversations.join", vec![]),
        ("conversations.leave", vec![]),
        ("conversations.mark", vec![("ts", ts.as_str())]),
        ("conversations.setTopic", vec![("topic", "x")]),
        ("conversations.setPurpose", vec![("purpose", "x")]),
        ("conversations.archive", vec![]),
        ("conversations.invite", vec![("users", server.seed.people[1].id.as_str())]),
        ("conversations.kick", vec![("user", server.seed.people[0].id.as_str())]),
        ("parlance.journey", vec![("ts", ts.as_str())]),
    ] {
        let theirs = [vec![("channel", private)], arguments.clone()].concat();
        let nowhere = [vec![("channel", "C0NOTTHERE00")], arguments].concat();
        let error = bo.refused(method, &theirs).await?;
        assert_eq!(error, bo.refused(method, &nowhere).await?, "{method} tells the two apart");
    }
    // Somebody else's message in a channel that both are in.
    let general = server.channel("general")?;
    let ts = ann.post(general, "mine").await?;
    let theirs = [("channel", general), ("ts", ts.as_str())];
    let cy = server.person(2)?;
    assert_eq!(cy.refused("chat.delete", &theirs).await?, "cant_delete_message");
    let error = cy.refused("chat.update", &[theirs[0], theirs[1], ("text", "yours")]).await?;
    assert_eq!(error, "cant_update_message");
    Ok(())
}

#[tokio::test]
async fn broken_bodies() -> Result<()> {
    let server = Sandbox::start().await?;
    let token = &server.seed.bot.token;
    let general = server.channel("general")?;
    let path = "/api/chat.postMessage";
    let json = "application/json; charset=utf-8";
    let codes =
        ["invalid_json", "json_not_object", "invalid_charset", "invalid_form_data", "invalid_arguments"];
    for body in ["{", "{\"channel\":", "[]", "7", "\"x\"", "null", "{\"a\":1}{\"b\":2}", "\u{feff}{}x"] {
        let answer = raw(server.address(), &post(path, token, json, body.as_bytes())).await?;
        is_refused(&answer, &codes);
    }
    let deep = "[".repeat(100_000);
    is_refused(&raw(server.address(), &post(path, token, json, deep.as_bytes())).await?, &codes);
    // Broken UTF-8 in each form.
    let broken = [format!("{{\"channel\":\"{general}\",\"text\":\"a").as_bytes(), b"\xff\xfe\"}"].concat();
    is_refused(&raw(server.address(), &post(path, token, json, &broken)).await?, &codes);
    let form = "application/x-www-form-urlencoded";
    let percent = format!("channel={general}&text=a%FF%FE");
    is_refused(&raw(server.address(), &post(path, token, form, percent.as_bytes())).await?, &codes);
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"channel\"\r\n\r\nC1";
    let request = post(path, token, "multipart/form-data; boundary=b", multipart.as_bytes());
    is_refused(&raw(server.address(), &request).await?, &codes);
    let answer =
        raw(server.address(), &post(path, token, "multipart/form-data", multipart.as_bytes())).await?;
    is_refused(&answer, &codes);
    // Nothing of it was posted, and the server still works.
    let page = server.bot().ok("conversations.history", &[("channel", general), ("limit", "1")]).await?;
    assert!(!page["messages"][0]["text"].as_str().unwrap_or_default().contains('\u{fffd}'));
    Ok(())
}

#[tokio::test]
async fn an_oversized_body_is_refused_without_reading_it() -> Result<()> {
    let server = Sandbox::start().await?;
    let token = &server.seed.bot.token;
    // Announced: refused although the body never comes.
    let head = format!(
        "POST /api/chat.postMessage HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 9000000000\r\n\r\n{{"
    );
    let answer = raw(server.address(), head.as_bytes()).await?;
    is_refused(&answer, &["request_too_large", "msg_too_long", "invalid_form_data", "payload_too_large"]);
    // Not announced: cut while it is read.
    let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let mut endless = format!(
        "POST /api/chat.postMessage HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..64 {
        endless.extend_from_slice(&chunk);
    }
    let answer = raw(server.address(), &endless).await?;
    assert!(answer.status == 0 || answer.json()["ok"] == false, "{answer:?}");
    server.bot().ok("auth.test", &[]).await?;
    Ok(())
}

#[tokio::test]
async fn oversized_and_broken_heads() -> Result<()> {
    let server = impatient().await?;
    let long = format!("GET /api/api.test HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20));
    let answer = raw(server.address(), long.as_bytes()).await?;
    assert!(matches!(answer.status, 0 | 400 | 431), "{answer:?}");
    for broken in ["\r\n\r\n\r\n", "GET\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let answer = raw(server.address(), broken.as_bytes()).await?;
        assert!(matches!(answer.status, 0 | 400 | 505), "{broken:?}: {answer:?}");
    }
    // Two lengths that disagree are how requests are smuggled.
    let smuggled =
        "POST /api/api.test HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef";
    let answer = raw(server.address(), smuggled.as_bytes()).await?;
    assert!(matches!(answer.status, 0 | 400), "{answer:?}");
    server.bot().ok("auth.test", &[]).await?;
    Ok(())
}

/// A server that waits 2 s for a head.
async fn impatient() -> Result<Sandbox> {
    let environment = vec![("PARLANCE_HTTP_HEADER_TIMEOUT_S".to_owned(), "2".to_owned())];
    Sandbox::start_with(Options { environment, ..Options::default() }).await
}

#[tokio::test]
async fn a_slow_head_is_cut() -> Result<()> {
    let server = impatient().await?;
    let mut stream = tokio::net::TcpStream::connect(server.address()).await?;
    stream.write_all(b"POST /api/api.test HTTP/1.1\r\nHost: localhost\r\n").await?;
    let mut answer = Vec::new();
    let dripping = async {
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tick.tick().await;
            if stream.write_all(b"X: y\r\n").await.is_err() {
                return;
            }
            let mut some = [0; 512];
            if let Ok(count) = stream.try_read(&mut some) {
                answer.extend_from_slice(&some[..count]);
                if count == 0 {
                    return;
                }
            }
        }
    };
    let cut = tokio::time::timeout(Duration::from_secs(20), dripping).await;
    assert!(cut.is_ok(), "a head that drips is still open long after its 2 s");
    // A body that stops in the middle is cut too.
    let mut stream = tokio::net::TcpStream::connect(server.address()).await?;
    stream
        .write_all(b"POST /api/api.test HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nfoo")
        .await?;
    let mut rest = Vec::new();
    let cut = tokio::time::timeout(Duration::from_secs(75), stream.read_to_end(&mut rest)).await;
    assert!(cut.is_ok(), "a body that stops is still waited for after 75 s");
    Ok(())
}

#[tokio::test]
async fn tickets_are_for_one_use() -> Result<()> {
    let server = Sandbox::start().await?;
    let ann = server.person(0)?;
    let url = ticket(&ann).await?;
    let _socket = Socket::open(&url, None).await?;
    let gone = |refusal: Refusal| matches!(refusal, Refusal::Closed(Some(4006)) | Refusal::Http(401 | 403));
    assert!(gone(Socket::refused(&url, None).await?), "used twice");
    let base = url.split("ticket=").next().unwrap();
    for wrong in ["", "x", "💥", &"x".repeat(5000)] {
        let wrong = percent_encoded(wrong);
        let refusal = Socket::refused(&format!("{base}ticket={wrong}"), None).await?;
        assert!(gone(refusal) || matches!(refusal, Refusal::Http(400 | 414)), "{wrong:.10}: {refusal:?}");
    }
    let nobody = Api::new(server.url(), None);
    let answer = nobody.request(reqwest::Method::POST, "/realtime/v1/connect").send().await?;
    let answer: serde_json::Value = answer.json().await?;
    assert_eq!(answer, json!({"ok": false, "error": "not_authed"}));
    Ok(())
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn frames_that_no_client_sends_close_the_socket() -> Result<()> {
    let server = Sandbox::start().await?;
    let ann = server.person(0)?;
    let big = format!("{{\"type\":\"ping\",\"id\":1,\"x\":\"{}\"}}", "x".repeat(70 * 1024));
    let cases: Vec<(&str, Message, &[u16])> = vec![
        ("oversized", Message::text(big), &[1009, 4502]),
        ("no JSON", Message::text("hello"), &[4502]),
        ("an array", Message::text("[]"), &[4502]),
        ("a number", Message::text("7"), &[4502]),
        ("binary", Message::binary(vec![1, 2, 3]), &[1003, 4502]),
    ];
    for (what, message, codes) in cases {
        let mut socket = Socket::realtime(&ann).await?;
        socket.resume(&Positions::new()).await?;
        socket.send_raw(message).await?;
        let code = socket.closed(Duration::from_secs(20)).await.context(what)?;
        assert!(code.is_some_and(|code| codes.contains(&code)), "{what}: {code:?}");
    }
    // Unknown frames are ignored, and so is a second `resume`.
    let mut socket = Socket::realtime(&ann).await?;
    socket.resume(&Positions::new()).await?;
    socket.send(&json!({"type": "no such frame"})).await?;
    socket.resume(&Positions::new()).await?;
    socket.drain(1).await?;
    Ok(())
}

#[tokio::test]
async fn an_rtm_frame_has_at_most_16_kib() -> Result<()> {
    let server = Sandbox::start().await?;
    let frame = |bytes: usize| {
        let empty = json!({"type": "ping", "id": 1, "x": ""}).to_string();
        json!({"type": "ping", "id": 1, "x": "x".repeat(bytes - empty.len())}).to_string()
    };
    let mut socket = Socket::rtm(&server.person(0)?).await?;
    socket.send_raw(Message::text(frame(16 << 10))).await?;
    let pong = socket.until("the pong", |frame| frame["type"] == "pong").await?;
    assert_eq!(pong["reply_to"], 1, "{pong}");
    socket.send_raw(Message::text(frame((16 << 10) + 1))).await?;
    assert_eq!(socket.closed(Duration::from_secs(20)).await?, Some(1009));
    Ok(())
}

#[tokio::test]
async fn broken_utf8_in_a_text_frame_closes_with_1007() -> Result<()> {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    use tokio_tungstenite::tungstenite::protocol::frame::{Frame as RawFrame, FrameHeader};
    let server = Sandbox::start().await?;
    let mut socket = Socket::realtime(&server.person(0)?).await?;
    let header = FrameHeader { is_final: true, opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    let frame = RawFrame::from_payload(header, Bytes::from_static(b"{\"type\":\"\xff\"}"));
    socket.send_raw(Message::Frame(frame)).await?;
    assert_eq!(socket.closed(Duration::from_secs(20)).await?, Some(1007));
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_resume_is_closed() -> Result<()> {
    let server = Sandbox::start().await?;
    let mut socket = Socket::realtime(&server.person(0)?).await?;
    assert_eq!(socket.closed(Duration::from_secs(30)).await?, Some(4003));
    Ok(())
}

#[tokio::test]
async fn absurd_and_foreign_positions_are_answered_one_by_one() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let made = bo.ok("conversations.create", &[("name", "not-hers"), ("is_private", "1")]).await?;
    let foreign = made["channel"]["id"].as_str().unwrap().to_owned();
    let boot = boot_positions(&ann).await?;
    let general = server.channel("general")?.to_owned();
    let random = server.channel("random")?.to_owned();
    let (generation, head) = boot[&general];
    let mut positions = boot.clone();
    positions.insert(general.clone(), (generation, head + 1_000_000));
    positions.insert(random.clone(), (generation + 5, 1));
    positions.insert(foreign.clone(), (1, 1));
    positions.insert("C0NOTTHERE00".to_owned(), (1, 1));
    positions.insert("nonsense".to_owned(), (1, 1));
    positions.insert(server.seed.people[1].id.clone(), (1, 1));
    let mut socket = Socket::realtime(&ann).await?;
    socket.resume(&positions).await?;
    let mut answers = BTreeMap::new();
    while answers.len() < positions.len() {
        match socket.next(FRAME_WITHIN).await? {
            Frame::Json(frame) => {
                let kind = frame["type"].as_str().unwrap_or_default();
                if matches!(kind, "_live" | "_reset" | "_gone") {
                    answers.entry(frame["t"].as_str().unwrap().to_owned()).or_insert(kind.to_owned());
                }
            }
            closed => panic!("{closed:?} after {answers:?} of {positions:?}"),
        }
    }
    for (topic, kind) in answers {
        let expected = match &topic {
            topic if *topic == general || *topic == random => "_reset",
            topic if boot.contains_key(topic) => "_live",
            _ => "_gone",
        };
        assert_eq!(kind, expected, "{topic}");
    }
    Ok(())
}

#[tokio::test]
async fn positions_that_are_no_positions_do_not_hurt_the_others() -> Result<()> {
    let server = Sandbox::start().await?;
    let ann = server.person(0)?;
    let general = server.channel("general")?;
    for position in [
        json!([1, 9_007_199_254_740_993_u64]),
        json!([1, u64::MAX]),
        json!([1, -1]),
        json!([-1, 1]),
        json!([0, 0]),
        json!([1, 1.5]),
        json!([1]),
        json!([]),
        json!("x"),
        json!(null),
        json!({"g": 1}),
    ] {
        let mut socket = Socket::realtime(&ann).await?;
        socket.send(&json!({"type": "resume", "positions": {general: position}})).await?;
        let mut answered = None;
        while answered.is_none() {
            match socket.next(FRAME_WITHIN).await? {
                Frame::Json(frame) if frame["t"] == general => answered = Some(frame["type"].clone()),
                Frame::Json(_) => {}
                Frame::Closed(code) => answered = Some(json!(code)),
            }
        }
        let answered = answered.unwrap();
        assert!(answered == "_reset" || answered == 4502, "{position} was answered with {answered}");
    }
    Ok(())
}
