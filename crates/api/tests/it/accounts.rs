//! Sign-up, sign-in, invitations, sessions.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::{Answer, World, config};

/// Posts JSON as a browser does, with a cookie if there is one.
async fn browser(world: &World, method: &str, cookie: Option<&str>, args: Value) -> Answer {
    let mut request = Request::post(format!("/api/{method}"))
        .header("content-type", "application/json")
        .header("origin", "http://chat.example.org")
        .header("x-parlance-client", "1");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    world.send(request.body(Body::from(args.to_string())).unwrap()).await
}

/// The cookie that an answer sets, as a request sends it.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    set.split(';').next().unwrap().to_owned()
}

fn owner() -> Value {
    json!({"team_name": "Engines", "real_name": "Ada Lovelace", "email": "Ada@Example.org", "password": "correct horse"})
}

#[tokio::test]
async fn a_workspace_is_set_up_once_and_its_owner_signs_in() {
    let world = World::empty(config()).await;
    let status = browser(&world, "parlance.status", None, json!({})).await.json();
    assert_eq!((&status["setup_required"], &status["teams"]), (&json!(true), &json!([])));
    for (key, value, expect) in [
        ("team_name", "", "invalid_name"),
        ("real_name", " ", "invalid_name"),
        ("email", "ada", "invalid_email"),
        ("password", "1234567", "weak_password"),
    ] {
        let mut args = owner();
        args[key] = json!(value);
        assert_eq!(browser(&world, "parlance.setup", None, args).await.json()["error"], expect);
    }
    let made = browser(&world, "parlance.setup", None, owner()).await;
    assert_eq!(made.json()["ok"], true, "{}", made.json());
    let session = cookie(&made);
    assert_eq!(browser(&world, "parlance.setup", None, owner()).await.json()["error"], "already_set_up");
    let status = browser(&world, "parlance.status", None, json!({})).await.json();
    assert_eq!(
        (&status["setup_required"], &status["teams"][0]["domain"]),
        (&json!(false), &json!("engines"))
    );
    let boot = browser(&world, "client.userBoot", Some(&session), json!({})).await.json();
    assert_eq!(boot["self"]["is_primary_owner"], true);
    assert_eq!(boot["channels"].as_array().unwrap().len(), 2);
    for (email, password, expect) in [
        ("ada@example.org", "correct horse", None),
        (" ADA@example.org", "correct horse", None),
        ("ada@example.org", "wrong horse", Some("invalid_credentials")),
        ("bob@example.org", "correct horse", Some("invalid_credentials")),
        ("nonsense", "correct horse", Some("invalid_credentials")),
    ] {
        let args = json!({"email": email, "password": password});
        let answer = browser(&world, "parlance.signin", None, args).await;
        match expect {
            None => assert!(!cookie(&answer).is_empty()),
            Some(code) => assert_eq!(answer.json()["error"], code),
        }
    }
    let args = json!({"email": "ada@example.org", "password": "correct horse", "team": "other"});
    assert_eq!(browser(&world, "parlance.signin", None, args).await.json()["error"], "invalid_credentials");
}

#[tokio::test]
async fn cookies_are_secure_behind_https() {
    let world =
        World::empty(api::role::Config { public_url: "https://chat.example.org".to_owned(), ..config() })
            .await;
    let request = Request::post("/api/parlance.setup").header("content-type", "application/json");
    let made = world.send(request.body(Body::from(owner().to_string())).unwrap()).await;
    assert!(made.header("set-cookie").unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn other_sites_and_links_cannot_sign_anybody_in() {
    let world = World::empty(config()).await;
    browser(&world, "parlance.setup", None, owner()).await;
    let query = "email=ada%40example.org&password=correct+horse";
    let get = Request::get(format!("/api/parlance.signin?{query}")).body(Body::empty()).unwrap();
    let form = Request::post("/api/parlance.signin")
        .header("origin", "http://evil.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(query))
        .unwrap();
    for request in [get, form] {
        let answer = world.send(request).await;
        assert_eq!(answer.json()["error"], "not_allowed");
        assert!(answer.header("set-cookie").is_none());
    }
}

#[tokio::test]
async fn signing_in_is_throttled_by_account() {
    let world = World::empty(config()).await;
    browser(&world, "parlance.setup", None, owner()).await;
    let mut refused = None;
    for _ in 0..20 {
        let args = json!({"email": "nobody@example.org", "password": "x"});
        let answer = browser(&world, "parlance.signin", None, args).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(refused.json(), json!({"ok": false, "error": "ratelimited"}));
    // Others are not locked out, and only failures count.
    for _ in 0..12 {
        let args = json!({"email": "ada@example.org", "password": "correct horse"});
        assert_eq!(browser(&world, "parlance.signin", None, args).await.json()["ok"], true);
    }
}

#[tokio::test]
async fn invitations_bring_people_in() {
    let world = World::empty(config()).await;
    let owner = cookie(&browser(&world, "parlance.setup", None, owner()).await);
    let made = browser(&world, "parlance.invite.create", Some(&owner), json!({})).await.json();
    let code = made["code"].as_str().unwrap().to_owned();
    assert_eq!(made["url"], json!(format!("http://chat.example.org/invite/{code}")));
    let info = browser(&world, "parlance.invite.info", None, json!({"code": code})).await.json();
    assert_eq!(
        (&info["team"]["name"], &info["inviter"]["real_name"], &info["email"]),
        (&json!("Engines"), &json!("Ada Lovelace"), &json!(null))
    );
    let person =
        json!({"code": code, "real_name": "Bob", "email": "bob@example.org", "password": "long enough"});
    let mut taken = person.clone();
    taken["email"] = json!("ada@example.org");
    assert_eq!(browser(&world, "parlance.invite.accept", None, taken).await.json()["error"], "email_taken");
    let bob = cookie(&browser(&world, "parlance.invite.accept", None, person.clone()).await);
    let boot = browser(&world, "client.userBoot", Some(&bob), json!({})).await.json();
    assert_eq!(
        (boot["self"]["is_owner"].clone(), boot["channels"].as_array().unwrap().len()),
        (json!(false), 2)
    );
    // Used up.
    for method in ["parlance.invite.accept", "parlance.invite.info"] {
        let mut again = person.clone();
        again["email"] = json!("eve@example.org");
        assert_eq!(browser(&world, method, None, again).await.json()["error"], "invite_invalid", "{method}");
    }
    for code in ["", "x", "T000000000001-x"] {
        let answer = browser(&world, "parlance.invite.info", None, json!({"code": code})).await.json();
        assert_eq!(answer["error"], "invite_invalid", "{code}");
    }
    // Only for one address, and only for an hour.
    let args = json!({"email": "eve@example.org", "expires_in": 3600});
    let made = browser(&world, "parlance.invite.create", Some(&owner), args).await.json();
    let mut other = person.clone();
    other["code"] = made["code"].clone();
    other["email"] = json!("mallory@example.org");
    assert_eq!(
        browser(&world, "parlance.invite.accept", None, other.clone()).await.json()["error"],
        "invite_invalid"
    );
    world.clock.set(world.clock.now_us() + 3_601_000_000);
    other["email"] = json!("eve@example.org");
    assert_eq!(
        browser(&world, "parlance.invite.accept", None, other).await.json()["error"],
        "invite_expired"
    );
    // Members invite nobody.
    assert_eq!(
        browser(&world, "parlance.invite.create", Some(&bob), json!({})).await.json()["error"],
        "not_allowed"
    );
    for args in [json!({"uses_max": 0}), json!({"uses_max": 1001}), json!({"expires_in": 2_592_001})] {
        let answer = browser(&world, "parlance.invite.create", Some(&owner), args).await.json();
        assert_eq!(answer["error"], "invalid_arguments");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_or_all_of_them() {
    let world = World::empty(config()).await;
    let first = cookie(&browser(&world, "parlance.setup", None, owner()).await);
    let args = json!({"email": "ada@example.org", "password": "correct horse"});
    let second = cookie(&browser(&world, "parlance.signin", None, args.clone()).await);
    let third = cookie(&browser(&world, "parlance.signin", None, args).await);
    let out = browser(&world, "parlance.signout", Some(&first), json!({})).await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(world.admin.revoked.lock().unwrap().len(), 1);
    assert_eq!(browser(&world, "auth.test", Some(&first), json!({})).await.json()["error"], "token_revoked");
    assert_eq!(browser(&world, "auth.test", Some(&second), json!({})).await.json()["ok"], true);
    browser(&world, "parlance.signout", Some(&second), json!({"all": true})).await;
    assert!(world.admin.revoked.lock().unwrap().len() >= 3);
    for session in [&second, &third] {
        assert_eq!(
            browser(&world, "auth.test", Some(session), json!({})).await.json()["error"],
            "token_revoked"
        );
    }
}

#[tokio::test]
async fn sessions_expire() {
    let world = World::empty(config()).await;
    let session = cookie(&browser(&world, "parlance.setup", None, owner()).await);
    world.clock.set(world.clock.now_us() + 91 * 86_400_000_000);
    assert_eq!(
        browser(&world, "auth.test", Some(&session), json!({})).await.json()["error"],
        "token_expired"
    );
}
