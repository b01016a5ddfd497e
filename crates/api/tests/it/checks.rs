//! The order of checks, tokens and cookies.

use axum::body::Body;
use http::Request;
use model::Credential;
use serde_json::{Value, json};

use crate::world::{Person, World};

/// Posts an empty form to a method with these headers.
async fn try_with(world: &World, uri: &str, headers: &[(&str, &str)]) -> Value {
    let mut request = Request::post(format!("/api/{uri}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

#[tokio::test]
async fn checks_come_in_slacks_order() {
    let world = World::new().await;
    let weak = world.token(Credential::Bot, Some(world.bot.id), "users:read").await;
    let foreign = world.ada.token.replace(&world.team.to_string(), "T000000000001");
    assert_ne!(foreign, world.ada.token);
    for (uri, token, expect) in [
        ("no.such", "", "unknown_method"),
        ("no.such", "xoxb-nonsense", "unknown_method"),
        ("chat.postMessage", "", "not_authed"),
        ("chat.postMessage", "nonsense", "invalid_auth"),
        ("chat.postMessage", "xoxb-T000000000007-nonsense", "invalid_auth"),
        ("chat.postMessage", foreign.as_str(), "invalid_auth"),
        ("chat.postMessage", world.app_token.as_str(), "not_allowed_token_type"),
        ("client.userBoot", world.bot.token.as_str(), "not_allowed_token_type"),
        ("chat.postMessage", weak.as_str(), "missing_scope"),
        ("chat.postMessage", world.bot.token.as_str(), "channel_not_found"),
    ] {
        let bearer = format!("Bearer {token}");
        let headers = if token.is_empty() { vec![] } else { vec![("authorization", bearer.as_str())] };
        let answer = try_with(&world, uri, &headers).await;
        assert_eq!(answer["error"], expect, "{uri} {token}");
        if expect == "missing_scope" {
            assert_eq!(answer["needed"], "chat:write");
            assert_eq!(answer["provided"], "users:read");
        }
    }
}

#[tokio::test]
async fn broken_arguments_are_looked_at_after_the_token() {
    let world = World::new().await;
    for (token, expect) in
        [("", "not_authed"), ("nonsense", "invalid_auth"), (&world.ada.token, "invalid_json")]
    {
        let mut request = Request::post("/api/auth.test").header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = world.send(request.body(Body::from("{")).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (200, json!(expect)));
    }
}

#[tokio::test]
async fn a_token_comes_by_header_or_argument_and_never_in_json() {
    let world = World::new().await;
    let (ada, bot) = (&world.ada.token, &world.bot.token);
    let bearer = format!("Bearer {bot}");
    let answer = try_with(&world, &format!("auth.test?token={ada}"), &[("authorization", &bearer)]).await;
    assert_eq!(answer["user"], "helper", "the header goes first");
    assert_eq!(answer["url"], "http://chat.example.org/");
    assert!(answer["bot_id"].as_str().unwrap().starts_with('B'));
    let answer = try_with(&world, &format!("auth.test?token={ada}"), &[]).await;
    assert_eq!(answer["user_id"], json!(world.ada.id.to_string()));
    let answer =
        try_with(&world, &format!("auth.test?token={ada}"), &[("authorization", "Basic eDp5")]).await;
    assert_eq!(answer["ok"], true, "Basic names a client, not a caller");
    let request = Request::post("/api/auth.test")
        .header("content-type", "application/json")
        .body(Body::from(json!({ "token": ada }).to_string()))
        .unwrap();
    assert_eq!(world.send(request).await.json()["error"], "not_authed");
    let request = Request::post("/api/auth.test")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("token={ada}")))
        .unwrap();
    assert_eq!(world.send(request).await.json()["ok"], true);
}

#[tokio::test]
async fn answers_carry_scopes_and_the_trace() {
    let world = World::new().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = Request::post("/api/users.info")
        .header("authorization", format!("Bearer {}", world.bot.token))
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .body(Body::empty())
        .unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.header("x-slack-req-id"), Some(trace));
    assert!(answer.header("x-oauth-scopes").unwrap().split(',').any(|scope| scope == "chat:write"));
    assert_eq!(answer.header("x-accepted-oauth-scopes"), Some("users:read"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn a_cookie_counts_only_from_our_own_pages() {
    let world = World::new().await;
    let session =
        Person { id: world.ada.id, token: world.token(Credential::Session, Some(world.ada.id), "").await };
    let cookie = format!("other=1; parlance_session={}", session.token);
    let good = ("x-parlance-client", "1");
    for (headers, expect) in [
        (vec![("cookie", cookie.as_str()), good], Ok(())),
        (vec![("cookie", cookie.as_str()), good, ("origin", "http://chat.example.org")], Ok(())),
        (vec![("cookie", cookie.as_str())], Err("not_authed")),
        (vec![("cookie", cookie.as_str()), ("x-parlance-client", "2")], Err("not_authed")),
        (vec![("cookie", cookie.as_str()), good, ("origin", "http://evil.example")], Err("not_authed")),
        (vec![("cookie", cookie.as_str()), good, ("origin", "null")], Err("not_authed")),
        (
            vec![("cookie", cookie.as_str()), good, ("origin", "http://chat.example.org.evil.example")],
            Err("not_authed"),
        ),
    ] {
        let answer = try_with(&world, "auth.test", &headers).await;
        match expect {
            Ok(()) => assert_eq!(answer["ok"], true, "{headers:?} {answer}"),
            Err(code) => assert_eq!(answer["error"], code, "{headers:?}"),
        }
    }
    // Never by GET, and a cookie's secret is no bearer token nor the other way round.
    let request = Request::get("/api/auth.test").header("cookie", &cookie).header("x-parlance-client", "1");
    assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.json()["error"], "not_authed");
    let bearer = format!("Bearer {}", session.token);
    assert_eq!(try_with(&world, "auth.test", &[("authorization", &bearer)]).await["error"], "invalid_auth");
    let wrong = format!("parlance_session={}", world.ada.token);
    assert_eq!(try_with(&world, "auth.test", &[("cookie", &wrong), good]).await["error"], "invalid_auth");
}

#[tokio::test]
async fn a_cross_site_form_changes_nothing() {
    let world = World::new().await;
    let token = world.token(Credential::Session, Some(world.ada.id), "").await;
    let request = Request::post("/api/chat.postMessage")
        .header("cookie", format!("parlance_session={token}"))
        .header("origin", "http://evil.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("channel={}&text=forged", world.general)))
        .unwrap();
    assert_eq!(world.send(request).await.json()["error"], "not_authed");
    let history =
        world.call(&world.ada, "conversations.history", json!({"channel": world.general.to_string()})).await;
    assert!(!history.to_string().contains("forged"));
}
