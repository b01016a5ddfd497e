//! Sign-in with a cookie: where the cookie counts and where it must not.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::sandbox::{Options, Sandbox};
use harness::socket::{Positions, Refusal, Socket};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

pub(crate) const OWN_HEADER: &str = "X-Parlance-Client";

/// Signs in and returns the cookie as a browser would send it.
pub(crate) async fn sign_in(server: &Sandbox, person: usize) -> Result<String> {
    let person = &server.seed.people[person];
    let response = Api::new(server.url(), None)
        .request(Method::POST, "/api/parlance.signin")
        .header(OWN_HEADER, "1")
        .form(&[("email", &person.email), ("password", &person.password)])
        .send()
        .await?;
    let cookie = response.headers().get("set-cookie").context("no cookie")?.to_str()?.to_owned();
    let answer: Value = response.json().await?;
    ensure!(answer["ok"] == true && answer["user_id"] == person.id.as_str(), "{answer}");
    let lower = cookie.to_ascii_lowercase();
    for part in ["httponly", "samesite=lax", "path=/"] {
        ensure!(lower.contains(part), "no {part} in {cookie}");
    }
    ensure!(!lower.contains("secure"), "over plain HTTP a Secure cookie would be lost");
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

pub(crate) fn with_cookie(server: &Sandbox, verb: Method, path: &str, cookie: &str) -> RequestBuilder {
    Api::new(server.url(), None).request(verb, path).header("Cookie", cookie)
}

pub(crate) async fn error_of(request: RequestBuilder) -> Result<String> {
    let answer: Value = request.send().await?.json().await?;
    Ok(answer["error"].as_str().unwrap_or("none").to_owned())
}

#[tokio::test]
async fn a_cookie_counts_only_with_our_header_and_an_allowed_origin() -> Result<()> {
    let server = Sandbox::start().await?;
    let cookie = sign_in(&server, 0).await?;
    let general = server.channel("general")?;
    let post = || {
        let form = [("channel", general), ("text", "forged")];
        with_cookie(&server, Method::POST, "/api/chat.postMessage", &cookie).form(&form)
    };
    // What a form on another site can do.
    assert_eq!(error_of(post()).await?, "not_authed", "cookie only");
    assert_eq!(error_of(post().header("Origin", "http://evil.example")).await?, "not_authed");
    assert_eq!(error_of(post().header("Origin", "null")).await?, "not_authed");
    assert_eq!(error_of(post().header("Origin", server.url())).await?, "not_authed", "header missing");
    // What a script on another site could do if it got past CORS.
    for origin in
        ["http://evil.example", "null", "http://127.0.0.1:1", &server.url().replace("http", "https")]
    {
        let error = error_of(post().header(OWN_HEADER, "1").header("Origin", origin)).await?;
        assert_eq!(error, "not_authed", "{origin}");
    }
    let get = with_cookie(&server, Method::GET, "/api/auth.test", &cookie).header(OWN_HEADER, "1");
    assert_eq!(error_of(get).await?, "not_authed", "GET");
    // Nothing of it had an effect.
    let page = server.bot().ok("conversations.history", &[("channel", general)]).await?;
    assert!(!page.to_string().contains("forged"));
    // Our own client.
    assert_eq!(error_of(post().header(OWN_HEADER, "1")).await?, "none");
    assert_eq!(error_of(post().header(OWN_HEADER, "1").header("Origin", server.url())).await?, "none");
    Ok(())
}

#[tokio::test]
async fn other_sites_are_not_invited_by_cors() -> Result<()> {
    let server = Sandbox::start().await?;
    for verb in [Method::OPTIONS, Method::POST] {
        let response = Api::new(server.url(), None)
            .request(verb, "/api/chat.postMessage")
            .header("Origin", "http://evil.example")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", OWN_HEADER)
            .send()
            .await?;
        let allowed = response.headers().get("access-control-allow-origin");
        assert!(allowed.is_none_or(|origin| origin != "http://evil.example" && origin != "*"), "{allowed:?}");
        assert!(!response.headers().contains_key("access-control-allow-credentials"));
    }
    Ok(())
}

#[tokio::test]
async fn a_ticket_of_a_cookie_needs_an_allowed_origin() -> Result<()> {
    let server = Sandbox::start().await?;
    let cookie = sign_in(&server, 0).await?;
    let buy = || async {
        let request = with_cookie(&server, Method::POST, "/realtime/v1/connect", &cookie);
        let answer: Value = request.header(OWN_HEADER, "1").send().await?.json().await?;
        anyhow::Ok(answer["url"].as_str().with_context(|| answer.to_string())?.to_owned())
    };
    let bare = with_cookie(&server, Method::POST, "/realtime/v1/connect", &cookie);
    assert_eq!(error_of(bare).await?, "not_authed");
    for origin in [Some("http://evil.example"), Some("null"), None] {
        let refusal = Socket::refused(&buy().await?, origin).await?;
        assert!(
            matches!(refusal, Refusal::Closed(Some(4501)) | Refusal::Http(403)),
            "{origin:?}: {refusal:?}"
        );
    }
    Socket::open(&buy().await?, Some(server.url())).await?;
    // A ticket that a token bought is not gated.
    let bearer = harness::socket::ticket(&server.person(0)?).await?;
    Socket::open(&bearer, Some("http://evil.example")).await?;
    Ok(())
}

#[tokio::test]
async fn signing_out_everywhere_closes_what_is_open() -> Result<()> {
    let server = Sandbox::start().await?;
    let (phone, laptop) = (sign_in(&server, 0).await?, sign_in(&server, 0).await?);
    let other = sign_in(&server, 1).await?;
    let mut sockets = Vec::new();
    for cookie in [&phone, &laptop] {
        let request = with_cookie(&server, Method::POST, "/realtime/v1/connect", cookie);
        let answer: Value = request.header(OWN_HEADER, "1").send().await?.json().await?;
        let mut socket = Socket::open(answer["url"].as_str().context("url")?, Some(server.url())).await?;
        socket.resume(&Positions::new()).await?;
        sockets.push(socket);
    }
    let request = with_cookie(&server, Method::POST, "/api/parlance.signout", &phone);
    assert_eq!(error_of(request.header(OWN_HEADER, "1").form(&[("all", "true")])).await?, "none");
    for socket in &mut sockets {
        assert_eq!(socket.closed(Duration::from_secs(5)).await?, Some(4500));
    }
    for cookie in [&phone, &laptop] {
        let request = with_cookie(&server, Method::POST, "/api/auth.test", cookie).header(OWN_HEADER, "1");
        let error = error_of(request).await?;
        assert!(matches!(error.as_str(), "not_authed" | "invalid_auth" | "token_revoked"), "{error}");
    }
    let request = with_cookie(&server, Method::POST, "/api/auth.test", &other).header(OWN_HEADER, "1");
    assert_eq!(error_of(request).await?, "none", "others stay signed in");
    Ok(())
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() -> Result<()> {
    let arguments = vec!["--rate-limits".to_owned(), "slack".to_owned()];
    let server = Sandbox::start_with(Options { arguments, ..Options::default() }).await?;
    let email = &server.seed.people[0].email;
    let mut limited = None;
    for n in 0..40 {
        let password = format!("guess-{n}");
        let response = Api::new(server.url(), None)
            .request(Method::POST, "/api/parlance.signin")
            .header(OWN_HEADER, "1")
            .form(&[("email", email), ("password", &password)])
            .send()
            .await?;
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").cloned();
        let answer: Value = response.json().await?;
        if status == 429 {
            assert_eq!(answer["error"], "ratelimited");
            limited = wait;
            break;
        }
        assert_eq!(answer["error"], "invalid_credentials", "{answer}");
    }
    let wait = limited.context("40 guesses and no 429 with Retry-After")?;
    assert!(wait.to_str()?.parse::<u64>().is_ok_and(|seconds| seconds > 0), "{wait:?}");
    Ok(())
}

#[tokio::test]
async fn an_invitation_brings_a_person_in_once() -> Result<()> {
    let server = Sandbox::start().await?;
    let owner = server.person(0)?;
    let invite = owner.ok("parlance.invite.create", &[]).await?;
    let code = invite["code"].as_str().context("code")?;
    let url = invite["url"].as_str().context("url")?;
    assert_eq!(url, format!("{}/invite/{code}", server.url()));
    let nobody = Api::new(server.url(), None);
    let info = nobody.ok("parlance.invite.info", &[("code", code)]).await?;
    assert_eq!(info["team"]["id"], server.seed.workspace.id.as_str());
    let mut arguments =
        vec![("code", code), ("real_name", "Cy"), ("email", "cy@example.com"), ("password", "short")];
    assert_eq!(nobody.refused("parlance.invite.accept", &arguments).await?, "weak_password");
    arguments[3].1 = "a good password";
    let accepted = nobody.ok("parlance.invite.accept", &arguments).await?;
    let cy = accepted["user_id"].as_str().context("user_id")?;
    let members = owner.ok("conversations.members", &[("channel", server.channel("general")?)]).await?;
    assert!(members["members"].to_string().contains(cy), "not in general");
    arguments[2].1 = "dee@example.com";
    assert_eq!(nobody.refused("parlance.invite.accept", &arguments).await?, "invite_invalid");
    assert_eq!(nobody.refused("parlance.invite.info", &[("code", "nonsense")]).await?, "invite_invalid");
    Ok(())
}

#[tokio::test]
async fn a_password_is_reset_while_the_server_runs_and_while_it_does_not() -> Result<()> {
    let mut server = Sandbox::start().await?;
    let cookie = sign_in(&server, 1).await?;
    let bo = server.seed.people[1].email.clone();
    let data = server.data().to_str().context("path")?.to_owned();
    let reset = ["reset-password", "--data", &data, "--email", &bo];
    let answer = harness::sandbox::parlance(&reset).await?;
    ensure!(answer.status.success(), "{}", answer.stderr);
    let first = answer.stdout.split_whitespace().last().context("no password")?.to_owned();
    let boot = with_cookie(&server, Method::POST, "/api/client.userBoot", &cookie).header(OWN_HEADER, "1");
    assert_eq!(error_of(boot).await?, "token_revoked", "it signs out everywhere");
    assert_eq!(sign_in_error(&server, &bo, &server.seed.people[1].password).await?, "invalid_credentials");
    assert_eq!(sign_in_error(&server, &bo, &first).await?, "none");
    server.terminate().await?;
    let answer = harness::sandbox::parlance(&reset).await?;
    ensure!(answer.status.success(), "{}", answer.stderr);
    let second = answer.stdout.split_whitespace().last().context("no password")?.to_owned();
    ensure!(first != second);
    server.restart().await?;
    assert_eq!(sign_in_error(&server, &bo, &first).await?, "invalid_credentials");
    assert_eq!(sign_in_error(&server, &bo, &second).await?, "none");
    let stranger =
        harness::sandbox::parlance(&["reset-password", "--data", &data, "--email", "nobody@example.org"])
            .await?;
    ensure!(
        !stranger.status.success() && stranger.stderr.contains("nobody@example.org"),
        "{}",
        stranger.stderr
    );
    Ok(())
}

async fn sign_in_error(server: &Sandbox, email: &str, password: &str) -> Result<String> {
    let request = Api::new(server.url(), None).request(Method::POST, "/api/parlance.signin");
    error_of(request.header(OWN_HEADER, "1").form(&[("email", email), ("password", password)])).await
}
