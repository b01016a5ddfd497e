//! Every form in which the SDKs send arguments.

use anyhow::Result;
use harness::http::raw;
use harness::sandbox::Sandbox;
use serde_json::{Value, json};

#[tokio::test]
async fn arguments_arrive_in_every_form() -> Result<()> {
    let server = Sandbox::start().await?;
    let bot = server.bot();
    let wanted = json!({"foo": "bar", "n": "7"});

    let form = bot.ok("api.test", &[("foo", "bar"), ("n", "7")]).await?;
    assert_eq!(form["args"], wanted, "form");

    let json = bot.json("api.test", &json!({"foo": "bar", "n": "7"})).await?;
    assert_eq!(json["args"], wanted, "JSON");

    for verb in [reqwest::Method::GET, reqwest::Method::POST] {
        let request = bot.request(verb.clone(), "/api/api.test").query(&[("foo", "bar"), ("n", "7")]);
        let query: Value = request.send().await?.json().await?;
        assert_eq!(query["args"], wanted, "query of {verb}");
    }

    let parts = reqwest::multipart::Form::new().text("foo", "bar").text("n", "7");
    let request = bot.request(reqwest::Method::POST, "/api/api.test").multipart(parts);
    let multipart: Value = request.send().await?.json().await?;
    assert_eq!(multipart["args"], wanted, "multipart");
    Ok(())
}

#[tokio::test]
async fn the_multipart_of_python_starts_with_an_empty_line() -> Result<()> {
    let server = Sandbox::start().await?;
    let body =
        "\r\n--b0undary\r\nContent-Disposition: form-data; name=\"foo\"\r\n\r\nbar\r\n--b0undary--\r\n";
    let request = format!(
        "POST /api/api.test HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b0undary\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(server.address(), request.as_bytes()).await?;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["args"], json!({"foo": "bar"}), "{}", answer.body);
    Ok(())
}

#[tokio::test]
async fn an_empty_body_of_type_json_is_no_arguments() -> Result<()> {
    let server = Sandbox::start().await?;
    let request = format!(
        "POST /api/auth.test HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json;charset=utf-8\r\nContent-Length: 0\r\n\r\n",
        server.seed.bot.token
    );
    let answer = raw(server.address(), request.as_bytes()).await?;
    assert_eq!(answer.json()["user_id"], server.seed.bot.user_id.as_str(), "{}", answer.body);
    // A GET may say that it is a form without having one.
    let request = format!(
        "GET /api/auth.test? HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        server.seed.bot.token
    );
    let answer = raw(server.address(), request.as_bytes()).await?;
    assert_eq!(answer.json()["ok"], true, "{}", answer.body);
    Ok(())
}

#[tokio::test]
async fn a_token_is_taken_from_the_header_first_then_from_the_form() -> Result<()> {
    let server = Sandbox::start().await?;
    let nobody = harness::http::Api::new(server.url(), None);
    let bot = server.seed.bot.user_id.as_str();
    let form = nobody.ok("auth.test", &[("token", &server.seed.bot.token)]).await?;
    assert_eq!(form["user_id"], bot);
    let person = server.person(0)?;
    let both = person.ok("auth.test", &[("token", &server.seed.bot.token)]).await?;
    assert_eq!(both["user_id"], server.seed.people[0].id.as_str());
    Ok(())
}

#[tokio::test]
async fn structures_lists_booleans_and_numbers_come_as_strings_or_as_values() -> Result<()> {
    let server = Sandbox::start().await?;
    let bot = server.bot();
    let general = server.channel("general")?;
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "*hi*"}}]);

    let text = blocks.to_string();
    let form = [("channel", general), ("text", "hi"), ("blocks", text.as_str())];
    let by_string = bot.ok("chat.postMessage", &form).await?;
    let by_value =
        bot.json("chat.postMessage", &json!({"channel": general, "text": "hi", "blocks": blocks})).await?;
    let string_in_json =
        bot.json("chat.postMessage", &json!({"channel": general, "text": "hi", "blocks": text})).await?;
    for answer in [&by_string, &by_value, &string_in_json] {
        assert_eq!(answer["message"]["blocks"][0]["text"]["text"], "*hi*", "{answer}");
    }

    let ids: Vec<&str> = server.seed.people.iter().map(|person| person.id.as_str()).collect();
    for (n, (private, wanted)) in [
        (json!("1"), true),
        (json!("0"), false),
        (json!("true"), true),
        (json!("false"), false),
        (json!(true), true),
        (json!(false), false),
        (json!(1), true),
        (json!(0), false),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"name": format!("booleans-{n}"), "is_private": private});
        let made = bot.json("conversations.create", &body).await?;
        assert_eq!(made["channel"]["is_private"], wanted, "{body} answered {made}");
        let channel = made["channel"]["id"].as_str().unwrap();
        let users = if n % 2 == 0 { json!(ids.join(",")) } else { json!(ids) };
        let invited = bot.json("conversations.invite", &json!({"channel": channel, "users": users})).await?;
        assert_eq!(invited["ok"], true, "{users} answered {invited}");
        let members = bot.ok("conversations.members", &[("channel", channel)]).await?;
        assert_eq!(members["members"].as_array().unwrap().len(), ids.len() + 1);
    }

    for limit in [json!("2"), json!(2)] {
        let page = bot.json("conversations.history", &json!({"channel": general, "limit": limit})).await?;
        assert_eq!(page["messages"].as_array().map(Vec::len), Some(2), "{page}");
    }
    Ok(())
}

#[tokio::test]
async fn a_thread_ts_that_is_a_json_number_keeps_its_digits() -> Result<()> {
    let server = Sandbox::start().await?;
    let bot = server.bot();
    let general = server.channel("general")?;
    let parent = bot.post(general, "parent").await?;
    let body = format!(r#"{{"channel":"{general}","text":"reply","thread_ts":{parent}}}"#);
    let request = bot
        .request(reqwest::Method::POST, "/api/chat.postMessage")
        .header("Content-Type", "application/json; charset=utf-8")
        .body(body);
    let answer: Value = request.send().await?.json().await?;
    assert_eq!(answer["message"]["thread_ts"], parent.as_str(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn arguments_that_nobody_knows_are_ignored() -> Result<()> {
    let server = Sandbox::start().await?;
    let bot = server.bot();
    let general = server.channel("general")?;
    let arguments =
        [("channel", general), ("text", "hi"), ("_x_reason", "x"), ("team_id", &server.seed.workspace.id)];
    bot.ok("chat.postMessage", &arguments).await?;
    Ok(())
}

#[tokio::test]
async fn a_long_text_is_cut_with_a_warning() -> Result<()> {
    let server = Sandbox::start().await?;
    let bot = server.bot();
    let general = server.channel("general")?;
    for letter in ["x", "é", "🦀"] {
        let whole = letter.repeat(40_000);
        let arguments = [("channel", general), ("text", whole.as_str())];
        let answer = bot.ok("chat.postMessage", &arguments).await?;
        assert_eq!(answer["warning"], Value::Null, "40,000 characters are not too many");
        let long = format!("{whole}{letter}");
        let answer = bot.ok("chat.postMessage", &[("channel", general), ("text", &long)]).await?;
        assert_eq!(answer["response_metadata"]["warnings"], json!(["message_truncated"]), "{letter}");
        let page = bot.ok("conversations.history", &[("channel", general), ("limit", "1")]).await?;
        assert_eq!(page["messages"][0]["text"].as_str().unwrap(), whole, "{letter}");
    }
    Ok(())
}

#[tokio::test]
async fn api_test_echoes_the_error_it_is_asked_for() -> Result<()> {
    let server = Sandbox::start().await?;
    let answer = server.bot().call("api.test", &[("error", "my_error"), ("foo", "bar")]).await?;
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["error"], "my_error");
    assert_eq!(answer["args"]["foo"], "bar");
    Ok(())
}

#[tokio::test]
async fn the_scopes_are_told_in_lower_case_headers() -> Result<()> {
    let server = Sandbox::start().await?;
    let request = format!(
        "POST /api/auth.test HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
        server.seed.bot.token
    );
    let mut stream = std::net::TcpStream::connect(server.address())?;
    std::io::Write::write_all(&mut stream, request.as_bytes())?;
    let mut head = vec![0; 4096];
    let count = std::io::Read::read(&mut stream, &mut head)?;
    let head = String::from_utf8_lossy(&head[..count]).into_owned();
    assert!(head.contains("x-oauth-scopes: "), "{head}");
    assert!(head.contains("content-type: application/json; charset=utf-8"), "{head}");
    Ok(())
}
