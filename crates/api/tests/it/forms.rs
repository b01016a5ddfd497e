//! The forms in which clients send arguments (`api.test` echoes them).

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::World;

async fn echo(world: &World, request: Request<Body>) -> Value {
    let answer = world.send(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    answer.json()
}

fn post(kind: &str, body: &[u8]) -> Request<Body> {
    let request = Request::post("/api/api.test").header("content-type", kind);
    request.body(Body::from(body.to_vec())).unwrap()
}

#[tokio::test]
async fn every_form_of_every_client_is_read() {
    let world = World::empty(crate::world::config()).await;
    let form = "application/x-www-form-urlencoded";
    let json_type = "application/json;charset=utf-8";
    // As node, python (with its leading line break), and curl send multipart.
    let parts = "--b\r\nContent-Disposition: form-data; name=\"foo\"\r\n\r\nbär\r\n--b\r\n\
                 Content-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n\u{1}\u{2}\r\n--b--\r\n";
    let multipart = "multipart/form-data; boundary=b";
    for (what, request, expect) in [
        (
            "query",
            Request::get("/api/api.test?foo=b%C3%A4r&x=1").body(Body::empty()).unwrap(),
            json!({"foo":"bär","x":"1"}),
        ),
        (
            "get with a form's type",
            Request::get("/api/api.test?foo=a+b").header("content-type", form).body(Body::empty()).unwrap(),
            json!({"foo":"a b"}),
        ),
        (
            "query on a post",
            Request::post("/api/api.test?foo=q").body(Body::empty()).unwrap(),
            json!({"foo":"q"}),
        ),
        (
            "form",
            post(form, b"foo=a%26b&list=[1,2]&empty=&flag=1"),
            json!({"foo":"a&b","list":"[1,2]","empty":"","flag":"1"}),
        ),
        (
            "form with charset",
            post("application/x-www-form-urlencoded; charset=utf-8", b"foo=%zz+"),
            json!({"foo":"%zz "}),
        ),
        (
            "json",
            post(json_type, br#"{"foo":"bar","n":1712345678.000200,"b":true,"z":null,"l":["a"]}"#),
            json!({"foo":"bar","n":"1712345678.000200","b":"true","l":"[\"a\"]"}),
        ),
        ("json without charset", post("application/json", b"{\"foo\":\"\\u00e4\"}"), json!({"foo":"ä"})),
        ("multipart", post(multipart, parts.as_bytes()), json!({"foo":"bär"})),
        (
            "multipart after a line break",
            post(multipart, format!("\r\n{parts}").as_bytes()),
            json!({"foo":"bär"}),
        ),
    ] {
        let answer = echo(&world, request).await;
        assert_eq!(answer, json!({"ok": true, "args": expect}), "{what}");
    }
    for (what, request) in [
        ("nothing", Request::post("/api/api.test").body(Body::empty()).unwrap()),
        ("an empty body said to be JSON", post(json_type, b"")),
        ("an empty object", post(json_type, b"{}")),
    ] {
        assert_eq!(echo(&world, request).await, json!({"ok": true}), "{what}");
    }
}

#[tokio::test]
async fn the_body_goes_before_the_query() {
    let world = World::empty(crate::world::config()).await;
    let request = Request::post("/api/api.test?foo=query")
        .header("content-type", "application/json")
        .body(Body::from(r#"{"foo":"body"}"#))
        .unwrap();
    assert_eq!(echo(&world, request).await["args"]["foo"], "body");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_slacks_words() {
    let world = World::new().await;
    let huge = vec![b' '; (1 << 20) + 1];
    let broken_part = b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\xff\r\n--b--\r\n";
    for (kind, body, expect) in [
        ("application/json", b"{".as_slice(), "invalid_json"),
        ("application/json", b"{\"a\":1}}", "invalid_json"),
        ("application/json", b"[1]", "json_not_object"),
        ("application/json", b"\"x\"", "json_not_object"),
        ("application/json", b"{\"a\":\"\xff\"}", "invalid_charset"),
        ("application/json", b"{\"a\":\"\\ud800\"}", "invalid_json"),
        ("application/json; charset=utf-16", b"{}", "invalid_charset"),
        ("application/x-www-form-urlencoded", b"a=%ff", "invalid_form_data"),
        ("multipart/form-data", b"x", "invalid_form_data"),
        ("multipart/form-data; boundary=b", b"--b\r\n", "invalid_form_data"),
        ("multipart/form-data; boundary=b", broken_part, "invalid_form_data"),
        ("text/plain", b"x", "invalid_post_type"),
        ("application/json", &huge, "request_too_large"),
    ] {
        let answer = echo(&world, post(kind, body)).await;
        assert_eq!(answer["ok"], false);
        assert_eq!(
            answer["error"],
            expect,
            "{kind} {}",
            String::from_utf8_lossy(&body[..body.len().min(40)])
        );
    }
    let untyped = Request::post("/api/api.test").body(Body::from("a=b")).unwrap();
    assert_eq!(echo(&world, untyped).await["error"], "missing_post_type");
}

#[tokio::test]
async fn booleans_lists_and_json_texts_are_taken_in_every_form() {
    let world = World::new().await;
    let channel = world.general.to_string();
    world.post(&world.ada, &channel, "one").await;
    for flag in [json!(true), json!("true"), json!(1), json!("1"), json!("True")] {
        let args = json!({"channel": channel, "_p": flag});
        assert!(world.call(&world.ada, "conversations.history", args).await["_p"].is_object(), "{flag}");
    }
    for flag in [json!(false), json!("0"), json!(0), json!(""), json!(null)] {
        let args = json!({"channel": channel, "_p": flag});
        assert!(world.call(&world.ada, "conversations.history", args).await["_p"].is_null(), "{flag}");
    }
    let args = json!({"channel": channel, "_p": "perhaps"});
    assert_eq!(world.refused(&world.ada, "conversations.history", args).await, "invalid_arguments");
    for types in
        [json!("public_channel,im"), json!(["public_channel", "im"]), json!("[\"im\",\"public_channel\"]")]
    {
        world.call(&world.ada, "conversations.list", json!({"types": types})).await;
    }
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}]);
    for blocks in [blocks.clone(), json!(blocks.to_string())] {
        let args = json!({"channel": channel, "text": "t", "blocks": blocks});
        let answer = world.call(&world.ada, "chat.postMessage", args).await;
        assert_eq!(answer["message"]["blocks"][0]["text"]["text"], "x");
    }
    assert_eq!(
        world.refused(&world.ada, "chat.postMessage", json!({"channel": channel, "text": ["a"]})).await,
        "invalid_array_arg"
    );
}

#[tokio::test]
async fn a_thread_ts_may_be_a_number_with_all_its_digits() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let parent = world.post(&world.ada, &channel, "parent").await;
    let body = format!(r#"{{"channel":"{channel}","text":"reply","thread_ts":{parent}}}"#);
    let request = Request::post("/api/chat.postMessage")
        .header("authorization", format!("Bearer {}", world.ada.token))
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap();
    let answer = world.send(request).await.json();
    assert_eq!(answer["message"]["thread_ts"], json!(parent), "{answer}");
}

#[tokio::test]
async fn api_test_fails_as_asked() {
    let world = World::empty(crate::world::config()).await;
    let answer = echo(&world, post("application/json", br#"{"error":"boom","foo":"bar"}"#)).await;
    assert_eq!(answer, json!({"ok": false, "error": "boom", "args": {"error": "boom", "foo": "bar"}}));
}
