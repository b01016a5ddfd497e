//! Files: every way of uploading, who may read what, and that nothing uploaded ever runs.

use axum::body::Body;
use http::Request;
use model::Credential;
use serde_json::{Value, json};

use crate::world::{Answer, Person, START_US, World, config};

const SITE: &str = "http://chat.example.org";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";

fn path(url: &Value) -> &str {
    url.as_str()
        .and_then(|url| url.strip_prefix(SITE))
        .unwrap_or_else(|| panic!("{url} is no address of ours"))
}

/// Announces a file; its id and the path that takes its bytes.
async fn announce(world: &World, who: &Person, args: Value) -> (String, String) {
    let answer = world.call(who, "files.getUploadURLExternal", args).await;
    (answer["file_id"].as_str().unwrap().to_owned(), path(&answer["upload_url"]).to_owned())
}

async fn send_bytes(world: &World, to: &str, kind: Option<&str>, bytes: &[u8]) -> Answer {
    let mut request = Request::post(to);
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    world.send(request.body(Body::from(bytes.to_vec())).unwrap()).await
}

/// Uploads a file and completes it; as it is then.
async fn upload(world: &World, who: &Person, name: &str, bytes: &[u8], more: Value) -> Value {
    let (id, to) = announce(world, who, json!({ "filename": name, "length": bytes.len() })).await;
    assert_eq!(send_bytes(world, &to, None, bytes).await.status, 200);
    let mut args = json!({ "files": [{ "id": id }] });
    args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = world.call(who, "files.completeUploadExternal", args).await;
    answer["files"][0].clone()
}

async fn get(world: &World, who: &Person, to: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(to).header("authorization", format!("Bearer {}", who.token));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::empty()).unwrap()).await
}

async fn anonymous(world: &World, to: &str) -> Answer {
    world.send(Request::get(to).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn bytes_are_taken_as_every_sdk_sends_them() {
    let world = World::new().await;
    let bytes = b"some \xff bytes\r\n--b\r\nContent-Disposition";
    let form = |head: &str| {
        let mut body =
            format!("{head}--bound\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--bound\r\n")
                .into_bytes();
        body.extend_from_slice(
            b"Content-Disposition: form-data; name=\"body\"; filename=\"Untitled\"\r\nContent-Type: application/octet-stream\r\n\r\n",
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--bound--\r\n");
        body
    };
    let (multipart, urlencoded) =
        ("multipart/form-data; boundary=bound", "application/x-www-form-urlencoded");
    for (what, kind, body) in [
        ("node", Some(multipart), form("")),
        ("a form that begins with a line break", Some(multipart), form("\r\n")),
        ("python", Some(urlencoded), bytes.to_vec()),
        ("java", None, bytes.to_vec()),
        ("morphism", Some("image/png"), bytes.to_vec()),
    ] {
        let (id, to) =
            announce(&world, &world.bob, json!({ "filename": "x.bin", "length": bytes.len() })).await;
        let answer = send_bytes(&world, &to, kind, &body).await;
        let text = String::from_utf8(answer.bytes.clone()).unwrap();
        assert_eq!((answer.status.as_u16(), text), (200, format!("OK - {}", bytes.len())), "{what}");
        let args = json!({ "files": [{ "id": id, "title": what }] });
        let done = world.call(&world.bob, "files.completeUploadExternal", args).await;
        assert_eq!((&done["files"][0]["id"], &done["files"][0]["title"]), (&json!(id), &json!(what)));
        let read = get(&world, &world.bob, path(&done["files"][0]["url_private"]), &[]).await;
        assert_eq!((read.status.as_u16(), read.bytes.as_slice()), (200, bytes.as_slice()), "{what}");
    }
}

#[tokio::test]
async fn an_upload_takes_what_was_announced_and_nothing_else() {
    let world = World::new().await;
    let (id, to) = announce(&world, &world.bob, json!({ "filename": "a.txt", "length": "5" })).await;
    assert_eq!(send_bytes(&world, &to, None, b"123456").await.status, 413);
    assert_eq!(send_bytes(&world, &to, None, b"1234").await.status, 400);
    assert_eq!(send_bytes(&world, &to, Some("multipart/form-data"), b"12345").await.status, 400);
    let nothing = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n12345\r\n--b--\r\n";
    assert_eq!(
        send_bytes(&world, &to, Some("multipart/form-data; boundary=b"), nothing.as_bytes()).await.status,
        400
    );
    assert_eq!(anonymous(&world, &to).await.status, 405);
    let unfinished = json!({ "files": [{ "id": id }] });
    assert_eq!(
        world.refused(&world.bob, "files.completeUploadExternal", unfinished.clone()).await,
        "file_not_found"
    );
    // Until it is complete the bytes may come again, and the last ones hold.
    assert_eq!(send_bytes(&world, &to, None, b"first").await.status, 200);
    assert_eq!(send_bytes(&world, &to, None, b"again").await.status, 200);
    assert_eq!(
        world.refused(&world.eve, "files.completeUploadExternal", unfinished.clone()).await,
        "file_not_found"
    );
    let done = world.call(&world.bob, "files.completeUploadExternal", unfinished.clone()).await;
    let read = get(&world, &world.bob, path(&done["files"][0]["url_private"]), &[]).await;
    assert_eq!(read.bytes, b"again");
    assert_eq!(world.refused(&world.bob, "files.completeUploadExternal", unfinished).await, "file_not_found");
    for wrong in [
        to.clone(),
        format!("{to}x"),
        "/files/upload/x".to_owned(),
        "/files/upload/T000000000001-F000000000001-x".to_owned(),
    ] {
        assert_eq!(send_bytes(&world, &wrong, None, b"again").await.status, 404, "{wrong}");
    }
    let (_, late) = announce(&world, &world.bob, json!({ "filename": "a", "length": 1 })).await;
    world.clock.set(START_US + 24 * 3_600 * 1_000_000);
    assert_eq!(send_bytes(&world, &late, None, b"1").await.status, 404, "a day later");
}

#[tokio::test]
async fn what_cannot_be_announced_is_refused() {
    let world = World::with(api::role::Config {
        rate_limits: api::role::RateLimits::Off,
        files: api::role::FileLimits { bytes_max: 3 << 20, workspace_bytes_max: 5 << 20 },
        ..config()
    })
    .await;
    let method = "files.getUploadURLExternal";
    for (args, code) in [
        (json!({ "length": 5 }), "missing_argument"),
        (json!({ "filename": "", "length": 5 }), "missing_argument"),
        (json!({ "filename": "a" }), "missing_argument"),
        (json!({ "filename": "a", "length": 0 }), "invalid_arguments"),
        (json!({ "filename": "a", "length": -1 }), "invalid_arguments"),
        (json!({ "filename": "a", "length": "many" }), "invalid_arguments"),
        (json!({ "filename": "a", "length": (3 << 20) + 1 }), "file_upload_size_restricted"),
        (json!({ "filename": "a", "length": 5, "alt_txt": "x".repeat(1_001) }), "alt_txt_too_large"),
        (json!({ "filename": "a", "length": 5, "snippet_type": "exe" }), "unknown_snippet_type"),
        (json!({ "filename": "a", "length": 5, "snippet_type": "png" }), "unknown_snippet_type"),
        (json!({ "filename": "a", "length": 2 << 20, "snippet_type": "rust" }), "snippet_too_large"),
    ] {
        assert_eq!(world.refused(&world.bob, method, args.clone()).await, code, "{args}");
    }
    world.call(&world.bob, method, json!({ "filename": "a", "length": 3 << 20 })).await;
    let rest = json!({ "filename": "b", "length": 2 << 20 });
    world.call(&world.eve, method, rest).await;
    let more = json!({ "filename": "c", "length": 1 });
    assert_eq!(world.refused(&world.eve, method, more).await, "storage_limit_reached");
    for files in [json!("x"), json!([]), json!({}), json!([{}]), json!([{ "id": 5 }]), Value::Null] {
        let code = world.refused(&world.bob, "files.completeUploadExternal", json!({ "files": files })).await;
        assert_eq!(code, "invalid_arguments", "{files}");
    }
    let args = json!({ "files": [{ "id": "F1" }] });
    assert_eq!(world.refused(&world.bob, "files.completeUploadExternal", args).await, "file_not_found");
}

#[tokio::test]
async fn a_file_is_shared_in_a_message() {
    let world = World::new().await;
    let general = world.general.to_string();
    let more = json!({ "channel_id": general, "initial_comment": format!("for <@{}>", world.eve.id) });
    let file = upload(&world, &world.bob, "plan.png", PNG, more).await;
    assert_eq!(
        (&file["name"], &file["mimetype"], &file["filetype"]),
        (&json!("plan.png"), &json!("image/png"), &json!("png"))
    );
    assert_eq!(
        (&file["size"], &file["is_public"], &file["channels"]),
        (&json!(PNG.len()), &json!(true), &json!([general]))
    );
    let history = world.call(&world.eve, "conversations.history", json!({ "channel": general })).await;
    let message = &history["messages"][0];
    assert_eq!((&message["subtype"], &message["upload"]), (&json!("file_share"), &json!(true)));
    assert_eq!(
        (&message["files"][0]["id"], &message["user"]),
        (&file["id"], &json!(world.bob.id.to_string()))
    );
    assert_eq!(message["files"][0].get("shares"), None);
    assert_eq!(file["shares"]["public"][&general][0]["ts"], message["ts"]);
    let counts = world.call(&world.eve, "client.counts", json!({})).await;
    let channels = counts["channels"].as_array().unwrap();
    let mine = channels.iter().find(|channel| channel["id"] == json!(general)).unwrap();
    assert_eq!(mine["mention_count"], 1, "the comment mentions like any text");
    // In a thread, with blocks instead of a comment.
    let ts = &message["ts"];
    let blocks = json!([{ "type": "section", "text": { "type": "plain_text", "text": "in blocks" } }]);
    let more = json!({ "channel_id": general, "thread_ts": ts, "blocks": blocks });
    upload(&world, &world.bob, "b.txt", b"text", more).await;
    let thread =
        world.call(&world.eve, "conversations.replies", json!({ "channel": general, "ts": ts })).await;
    assert_eq!(
        (&thread["messages"][1]["text"], &thread["messages"][1]["files"][0]["filetype"]),
        (&json!("in blocks"), &json!("text"))
    );
    // One that has only its file can be edited, and then deleted without it.
    let bare = upload(&world, &world.bob, "c.txt", b"text", json!({ "channels": general })).await;
    let ts = bare["shares"]["public"][&general][0]["ts"].clone();
    world.call(&world.bob, "chat.update", json!({ "channel": general, "ts": ts, "text": "see this" })).await;
    world.call(&world.bob, "chat.delete", json!({ "channel": general, "ts": ts })).await;
    let left = world.call(&world.bob, "files.info", json!({ "file": bare["id"] })).await;
    assert_eq!((&left["file"]["channels"], &left["file"]["is_public"]), (&json!([]), &json!(false)));
    assert_eq!(
        world.refused(&world.eve, "files.info", json!({ "file": bare["id"] })).await,
        "file_not_found"
    );
}

#[tokio::test]
async fn channels_that_are_none_are_left_out_of_a_list_only() {
    let world = World::new().await;
    let (general, random) = (world.general.to_string(), world.random.to_string());
    let spelled: Vec<String> = general.chars().map(String::from).collect();
    let alone = upload(&world, &world.bob, "a", b"x", json!({ "channels": spelled.join(",") })).await;
    assert_eq!(alone["channels"], json!([]), "python's list of characters");
    let both = upload(
        &world,
        &world.bob,
        "a",
        b"x",
        json!({ "channels": format!("{general},nowhere,#random,{general}") }),
    )
    .await;
    assert_eq!(both["channels"], json!([random, general]));
    let eve = world.eve.id.to_string();
    let direct = upload(&world, &world.bob, "a", b"x", json!({ "channels": [eve] })).await;
    assert_eq!(direct["ims"].as_array().unwrap().len(), 1, "a person stands for their DM");
    let private = world.private().await;
    let (id, to) = announce(&world, &world.eve, json!({ "filename": "a", "length": 1 })).await;
    assert_eq!(send_bytes(&world, &to, None, b"1").await.status, 200);
    let files = json!([{ "id": id }]);
    world.call(&world.eve, "conversations.leave", json!({ "channel": random })).await;
    for (more, code) in [
        (json!({ "channel_id": "C000000000000" }), "channel_not_found"),
        (json!({ "channel_id": "nowhere" }), "channel_not_found"),
        (json!({ "channel_id": private }), "channel_not_found"),
        (json!({ "channel_id": random }), "not_in_channel"),
        (json!({ "channel_id": general, "thread_ts": "never" }), "invalid_thread_ts"),
        (json!({ "channel_id": general, "thread_ts": "1.000000" }), "invalid_thread_ts"),
        (json!({ "channels": [general, eve], "thread_ts": "1.000000" }), "invalid_arguments"),
        (json!({ "channel_id": general, "blocks": [{ "type": "nothing" }] }), "invalid_blocks"),
        (
            json!({ "channels": (0..101).map(|n| format!("c{n}")).collect::<Vec<_>>() }),
            "channels_limit_exceeded",
        ),
    ] {
        let mut args = json!({ "files": files });
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(world.refused(&world.eve, "files.completeUploadExternal", args).await, code, "{more}");
    }
    world.call(&world.ada, "conversations.archive", json!({ "channel": private })).await;
    let (id, to) = announce(&world, &world.bob, json!({ "filename": "a", "length": 1 })).await;
    assert_eq!(send_bytes(&world, &to, None, b"1").await.status, 200);
    let args = json!({ "files": [{ "id": id }], "channel_id": private });
    assert_eq!(
        world.refused(&world.bob, "files.completeUploadExternal", args).await,
        "posting_to_channel_denied"
    );
}

#[tokio::test]
async fn who_may_not_see_a_file_cannot_tell_that_it_is_there() {
    let world = World::new().await;
    let private = world.private().await;
    let file = upload(&world, &world.ada, "secret.txt", b"secret", json!({ "channel_id": private })).await;
    let id = file["id"].as_str().unwrap();
    let addresses =
        ["url_private", "url_private_download", "permalink"].map(|key| path(&file[key]).to_owned());
    for to in &addresses {
        assert_eq!(get(&world, &world.ada, to, &[]).await.bytes, b"secret");
        assert_eq!(get(&world, &world.bob, to, &[]).await.bytes, b"secret");
        let absent = get(&world, &world.eve, &to.replace(id, "F000000000000"), &[]).await;
        let refused = get(&world, &world.eve, to, &[]).await;
        assert_eq!((refused.status.as_u16(), &refused.bytes), (404, &absent.bytes), "{to}");
        assert_eq!(refused.headers, absent.headers);
        assert_eq!(anonymous(&world, to).await.status, 401);
        assert_eq!(anonymous(&world, &to.replace(id, "F000000000000")).await.status, 401);
        assert_eq!(
            get(&world, &Person { token: "xoxp-x".to_owned(), ..world.bob.clone() }, to, &[]).await.status,
            401
        );
        let app = Person { token: world.app_token.clone(), ..world.bob.clone() };
        assert_ne!(get(&world, &app, to, &[]).await.status, 200);
    }
    for method in ["files.info", "files.delete", "files.sharedPublicURL", "files.revokePublicURL"] {
        assert_eq!(
            world.refused(&world.eve, method, json!({ "file": id })).await,
            "file_not_found",
            "{method}"
        );
        assert_eq!(
            world.refused(&world.eve, method, json!({ "file": "x" })).await,
            "file_not_found",
            "{method}"
        );
    }
    let other_team = addresses[0].replace(&world.team.to_string(), "T000000000001");
    assert_eq!(get(&world, &world.ada, &other_team, &[]).await.status, 404);
    let not_the_owner = addresses[2].replace(&world.ada.id.to_string(), &world.bob.id.to_string());
    assert_eq!(get(&world, &world.ada, &not_the_owner, &[]).await.status, 404);
    // Bob is removed: it ends with that.
    let bob = world.bob.id.to_string();
    world.call(&world.ada, "conversations.kick", json!({ "channel": private, "user": bob })).await;
    assert_eq!(get(&world, &world.bob, &addresses[0], &[]).await.status, 404);
    assert_eq!(world.refused(&world.bob, "files.info", json!({ "file": id })).await, "file_not_found");
    // So does a token; and one without the scope never could.
    let poor = world.token(Credential::User, Some(world.ada.id), "chat:write").await;
    let poor = Person { token: poor, ..world.ada.clone() };
    assert_eq!(get(&world, &poor, &addresses[0], &[]).await.status, 403);
    let spare = world.token(Credential::User, Some(world.ada.id), "files:read").await;
    let spare = Person { token: spare, ..world.ada.clone() };
    assert_eq!(get(&world, &spare, &addresses[0], &[]).await.status, 200);
    world.call(&spare, "auth.revoke", json!({})).await;
    assert_eq!(get(&world, &spare, &addresses[0], &[]).await.status, 401);
}

#[tokio::test]
async fn what_a_file_says_of_its_places_is_for_its_reader() {
    let world = World::new().await;
    let private = world.private().await;
    let both = json!({ "channels": [world.general.to_string(), private] });
    let file = upload(&world, &world.ada, "a.txt", b"x", both).await;
    assert_eq!(file["groups"], json!([private]));
    let seen = world.call(&world.eve, "files.info", json!({ "file": file["id"] })).await;
    assert!(!seen.to_string().contains(&private), "{seen}");
    assert_eq!(seen["file"]["channels"], json!([world.general.to_string()]));
    let listed = world.call(&world.eve, "files.list", json!({})).await;
    assert!(!listed.to_string().contains(&private), "{listed}");
}

#[tokio::test]
async fn a_browser_reads_with_its_cookie_from_our_own_page_only() {
    let world = World::new().await;
    let session = world.token(Credential::Session, Some(world.bob.id), "").await;
    let file = upload(&world, &world.bob, "plan.png", PNG, json!({})).await;
    let to = path(&file["url_private"]);
    let with = async |headers: &[(&str, &str)]| {
        let mut request = Request::get(to).header("cookie", format!("parlance_session={session}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        world.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!(with(&[]).await, 200);
    assert_eq!(with(&[("sec-fetch-site", "same-origin")]).await, 200);
    assert_eq!(with(&[("sec-fetch-site", "none")]).await, 200);
    assert_eq!(with(&[("sec-fetch-site", "cross-site")]).await, 401);
    assert_eq!(with(&[("sec-fetch-site", "same-site")]).await, 401);
    let stolen = Person { token: session.clone(), ..world.bob.clone() };
    assert_eq!(get(&world, &stolen, to, &[]).await.status, 401, "a cookie is no token");
}

#[tokio::test]
async fn nothing_that_was_uploaded_runs() {
    let world = World::new().await;
    for (name, bytes, shown) in [
        ("a.png", PNG, Some("image/png")),
        ("a.html", b"<script>alert(1)</script>".as_slice(), None),
        ("a.png", b"<html><script>alert(1)</script></html>", None),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", None),
        ("a.pdf", b"%PDF-1.7 ...", Some("application/pdf")),
        ("a.js", b"alert(1)", None),
        ("a.xml", b"<?xml version='1.0'?><x/>", None),
        ("a.txt", b"text", None),
        ("a.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", Some("video/mp4")),
    ] {
        let file = upload(&world, &world.bob, name, bytes, json!({})).await;
        for (key, inline) in [("url_private", shown), ("url_private_download", None)] {
            let answer = get(&world, &world.bob, path(&file[key]), &[]).await;
            assert_eq!(
                answer.header("content-type"),
                Some(inline.unwrap_or("application/octet-stream")),
                "{name}"
            );
            let disposition = answer.header("content-disposition").unwrap();
            assert_eq!(disposition.starts_with("inline"), inline.is_some(), "{name}: {disposition}");
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        }
    }
}

#[tokio::test]
async fn hostile_names_become_harmless_ones() {
    let world = World::new().await;
    let long = format!("{}.png", "\u{e4}".repeat(300));
    for (name, expect) in [
        ("../../../etc/passwd", "passwd".to_owned()),
        ("a\0b.txt", "ab.txt".to_owned()),
        ("invoice\u{202e}fdp.exe", "invoicefdp.exe".to_owned()),
        ("..", "Untitled".to_owned()),
        ("\"; x=\"\r\nSet-Cookie: a=b", "\"; x=\"Set-Cookie: a=b".to_owned()),
        (&long, format!("{}.png", "\u{e4}".repeat(251))),
    ] {
        let file = upload(&world, &world.bob, name, b"x", json!({})).await;
        assert_eq!(file["name"], json!(expect), "{name:?}");
        let answer = get(&world, &world.bob, path(&file["url_private_download"]), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.as_slice()), (200, b"x".as_slice()), "{name:?}");
        assert!(answer.header("set-cookie").is_none());
        assert!(answer.header("content-disposition").unwrap().contains("filename*=UTF-8''"));
    }
}

#[tokio::test]
async fn parts_and_conditions_are_answered() {
    let world = World::new().await;
    let file = upload(&world, &world.bob, "digits.txt", b"0123456789", json!({})).await;
    let to = path(&file["url_private"]);
    let whole = get(&world, &world.bob, to, &[]).await;
    let tag = whole.header("etag").unwrap().to_owned();
    assert_eq!((whole.header("accept-ranges"), whole.header("content-length")), (Some("bytes"), Some("10")));
    let part = get(&world, &world.bob, to, &[("range", "bytes=2-4"), ("if-range", &tag)]).await;
    assert_eq!((part.status.as_u16(), part.bytes.as_slice()), (206, b"234".as_slice()));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    let end = get(&world, &world.bob, to, &[("range", "bytes=-2")]).await;
    assert_eq!((end.status.as_u16(), end.bytes.as_slice()), (206, b"89".as_slice()));
    let beyond = get(&world, &world.bob, to, &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status.as_u16(), beyond.bytes.len()), (416, 0));
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));
    let other = get(&world, &world.bob, to, &[("range", "bytes=2-4"), ("if-range", "\"x\"")]).await;
    assert_eq!((other.status.as_u16(), other.bytes.len()), (200, 10));
    let known = get(&world, &world.bob, to, &[("if-none-match", &tag)]).await;
    assert_eq!((known.status.as_u16(), known.bytes.len()), (304, 0));
    let head = Request::head(to).header("authorization", format!("Bearer {}", world.bob.token));
    let head = world.send(head.body(Body::empty()).unwrap()).await;
    assert_eq!((head.status.as_u16(), head.bytes.len(), head.header("content-length")), (200, 0, Some("10")));
    let post = Request::post(to).header("authorization", format!("Bearer {}", world.bob.token));
    assert_eq!(world.send(post.body(Body::empty()).unwrap()).await.status, 405);
    // Who has it and may not see it any more is not told that it is the same.
    let args = json!({ "file": file["id"] });
    world.call(&world.bob, "files.delete", args).await;
    assert_eq!(get(&world, &world.bob, to, &[("if-none-match", &tag)]).await.status, 404);
}

#[tokio::test]
async fn a_deleted_file_leaves_its_message_and_nothing_else() {
    let world = World::new().await;
    let general = world.general.to_string();
    let file = upload(&world, &world.bob, "a.txt", b"canary", json!({ "channel_id": general })).await;
    let args = json!({ "file": file["id"] });
    assert_eq!(world.refused(&world.eve, "files.delete", args.clone()).await, "cant_delete_file");
    assert_eq!(world.refused(&world.bob, "files.delete", json!({})).await, "file_not_found");
    world.call(&world.bob, "files.sharedPublicURL", args.clone()).await;
    let link = world.call(&world.eve, "files.info", args.clone()).await["file"]["permalink_public"].clone();
    assert_eq!(anonymous(&world, path(&link)).await.status, 200);
    world.call(&world.ada, "files.delete", args.clone()).await;
    for method in ["files.info", "files.delete"] {
        assert_eq!(world.refused(&world.bob, method, args.clone()).await, "file_deleted", "{method}");
    }
    let history = world.call(&world.eve, "conversations.history", json!({ "channel": general })).await;
    assert_eq!(history["messages"][0]["files"], json!([{ "id": file["id"], "mode": "tombstone" }]));
    for to in [path(&file["url_private"]), path(&link)] {
        assert_eq!(get(&world, &world.bob, to, &[]).await.status, 404);
    }
    assert_eq!(world.call(&world.bob, "files.list", json!({})).await["files"], json!([]));
}

#[tokio::test]
async fn a_public_link_needs_no_account_until_it_is_taken_back() {
    let world = World::new().await;
    let file =
        upload(&world, &world.bob, "a.txt", b"for all", json!({ "channel_id": world.general.to_string() }))
            .await;
    let args = json!({ "file": file["id"] });
    assert_eq!(file.get("permalink_public"), None);
    assert_eq!(world.refused(&world.eve, "files.sharedPublicURL", args.clone()).await, "not_allowed");
    assert_eq!(
        world.refused(&world.bot, "files.sharedPublicURL", args.clone()).await,
        "not_allowed_token_type"
    );
    let shared = world.call(&world.bob, "files.sharedPublicURL", args.clone()).await;
    assert_eq!(shared["file"]["public_url_shared"], json!(true));
    let link = path(&shared["file"]["permalink_public"]).to_owned();
    let again = world.call(&world.ada, "files.sharedPublicURL", args.clone()).await;
    assert_eq!(path(&again["file"]["permalink_public"]), link);
    let read = anonymous(&world, &link).await;
    assert_eq!((read.status.as_u16(), read.bytes.as_slice()), (200, b"for all".as_slice()));
    assert!(read.header("content-disposition").unwrap().starts_with("attachment"));
    for wrong in [format!("{link}x"), link[..link.len() - 1].to_owned(), "/files/public/x".to_owned()] {
        assert_eq!(anonymous(&world, &wrong).await.status, 404);
    }
    assert_eq!(world.refused(&world.eve, "files.revokePublicURL", args.clone()).await, "not_allowed");
    let revoked = world.call(&world.bob, "files.revokePublicURL", args.clone()).await;
    assert_eq!(revoked["file"]["public_url_shared"], json!(false));
    assert_eq!(anonymous(&world, &link).await.status, 404);
    let renewed = world.call(&world.bob, "files.sharedPublicURL", args).await;
    assert_ne!(path(&renewed["file"]["permalink_public"]), link, "an old link stays dead");
}

#[tokio::test]
async fn files_are_listed_in_pages_and_by_kind() {
    let world = World::new().await;
    let general = world.general.to_string();
    let names = async |who: &Person, args: Value| {
        let page = world.call(who, "files.list", args).await;
        let files = page["files"].as_array().unwrap();
        let names: Vec<String> = files.iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), page["paging"].clone())
    };
    for (name, bytes, more) in [
        ("one.png", PNG, json!({ "channel_id": general })),
        ("two.txt", b"text".as_slice(), json!({ "channel_id": general })),
        ("three.pdf", b"%PDF-1.7", json!({})),
    ] {
        upload(&world, &world.bob, name, bytes, more).await;
        world.clock.set(world.clock.now_us() + 10_000_000);
    }
    let page = |n, count| json!({ "page": n, "count": count });
    assert_eq!(names(&world.bob, json!({})).await.0, "three.pdf two.txt one.png");
    let (first, paging) = names(&world.bob, page(1, 2)).await;
    assert_eq!(
        (first.as_str(), paging),
        ("three.pdf two.txt", json!({ "count": 2, "total": 3, "page": 1, "pages": 2 }))
    );
    assert_eq!(names(&world.bob, json!({ "page": "2", "count": "2" })).await.0, "one.png");
    assert_eq!(names(&world.eve, json!({})).await.0, "two.txt one.png");
    assert_eq!(names(&world.eve, json!({ "types": "images,pdfs" })).await.0, "one.png");
    assert_eq!(names(&world.eve, json!({ "types": "zips" })).await.0, "");
    assert_eq!(
        names(&world.eve, json!({ "channel": general, "user": world.bob.id.to_string() })).await.0,
        "two.txt one.png"
    );
    assert_eq!(names(&world.bob, json!({ "channel": world.random.to_string() })).await.0, "");
    let start = START_US / 1_000_000;
    assert_eq!(names(&world.bob, json!({ "ts_from": start + 5 })).await.0, "three.pdf two.txt");
    assert_eq!(names(&world.bob, json!({ "ts_to": format!("{}.500000", start + 9) })).await.0, "one.png");
    for (args, code) in [
        (json!({ "types": "films" }), "unknown_type"),
        (json!({ "user": "U000000000000" }), "user_not_found"),
        (json!({ "user": "x" }), "user_not_found"),
        (json!({ "channel": "C000000000000" }), "channel_not_found"),
        (json!({ "channel": world.private().await }), "channel_not_found"),
        (json!({ "ts_from": "yesterday" }), "invalid_arguments"),
        (json!({ "ts_to": "-1" }), "invalid_arguments"),
        (json!({ "page": "x" }), "invalid_arguments"),
        (json!({ "team_id": "T000000000001" }), "team_not_found"),
    ] {
        assert_eq!(world.refused(&world.eve, "files.list", args.clone()).await, code, "{args}");
    }
}

#[tokio::test]
async fn a_snippet_is_shown_with_its_text() {
    let world = World::new().await;
    let args = json!({ "filename": "main", "length": 12, "snippet_type": "rust", "alt_txt": "code" });
    let (id, to) = announce(&world, &world.bob, args).await;
    assert_eq!(send_bytes(&world, &to, None, b"fn main() {}").await.status, 200);
    let args = json!({ "files": [{ "id": id, "alt_txt": "better" }] });
    let done = world.call(&world.bob, "files.completeUploadExternal", args).await;
    let file = &done["files"][0];
    assert_eq!(
        (&file["mode"], &file["filetype"], &file["pretty_type"]),
        (&json!("snippet"), &json!("rust"), &json!("Rust"))
    );
    assert_eq!(file["alt_txt"], "better");
    let info = world.call(&world.bob, "files.info", json!({ "file": id })).await;
    assert_eq!((&info["content"], &info["is_truncated"]), (&json!("fn main() {}"), &json!(false)));
    let answer = get(&world, &world.bob, path(&file["url_private"]), &[]).await;
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
}

#[tokio::test]
async fn bots_upload_and_read_with_their_scopes() {
    let world = World::new().await;
    let general = world.general.to_string();
    let bot = world.bot.id.to_string();
    world.call(&world.ada, "conversations.invite", json!({ "channel": general, "users": bot })).await;
    let file = upload(&world, &world.bot, "report.csv", b"a,b", json!({ "channel_id": general })).await;
    assert_eq!((&file["user"], &file["filetype"]), (&json!(bot), &json!("csv")));
    assert_eq!(get(&world, &world.bot, path(&file["url_private"]), &[]).await.bytes, b"a,b");
    let history = world.call(&world.ada, "conversations.history", json!({ "channel": general })).await;
    assert_eq!(history["messages"][0]["bot_id"].as_str().unwrap().chars().next(), Some('B'));
    let reads = world.token(Credential::Bot, Some(world.bot.id), "files:read").await;
    let reads = Person { token: reads, ..world.bot.clone() };
    let args = json!({ "filename": "a", "length": 1 });
    assert_eq!(world.refused(&reads, "files.getUploadURLExternal", args).await, "missing_scope");
    world.call(&reads, "files.info", json!({ "file": file["id"] })).await;
    let writes = world.token(Credential::Bot, Some(world.bot.id), "files:write").await;
    let writes = Person { token: writes, ..world.bot.clone() };
    assert_eq!(world.refused(&writes, "files.info", json!({ "file": file["id"] })).await, "missing_scope");
    assert_eq!(get(&world, &writes, path(&file["url_private"]), &[]).await.status, 403);
}

#[tokio::test]
async fn bytes_that_nobody_needs_any_more_are_taken_away() {
    let mut world = World::new().await;
    let folder = world.folder.path().join("files").join(world.team.to_string());
    let there = |id: &str| folder.join(id).exists();
    let file = upload(&world, &world.bob, "a.txt", b"text", json!({})).await;
    let kept = upload(&world, &world.bob, "b.txt", b"text", json!({})).await;
    let (late, to) = announce(&world, &world.bob, json!({ "filename": "c", "length": 1 })).await;
    assert_eq!(send_bytes(&world, &to, None, b"1").await.status, 200);
    let (file, kept) = (file["id"].as_str().unwrap().to_owned(), kept["id"].as_str().unwrap().to_owned());
    assert!(there(&file) && there(&kept) && there(&late));
    let jobs = world.jobs();
    world.call(&world.bob, "files.delete", json!({ "file": file })).await;
    world.until(async |_| !there(&file)).await;
    assert!(there(&late), "it has a day");
    world.clock.set(START_US + 25 * 3_600 * 1_000_000);
    world.until(async |_| !there(&late)).await;
    jobs.stop().await;
    assert!(there(&kept));
    assert_eq!(world.app.deps.store.due_jobs(i64::MAX, 10).await.unwrap(), []);
}

fn form(fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Vec<u8> {
    form_with("file", fields, file)
}

/// A form with a file in a part of this name, as SDKs send it.
pub(crate) fn form_with(part: &str, fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Vec<u8> {
    let mut body = b"\r\n".to_vec();
    for (name, value) in fields {
        body.extend(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    if let Some((name, bytes)) = file {
        let head =
            format!("--b\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\n\r\n");
        body.extend(head.bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    body
}

async fn post_form(world: &World, token: Option<&str>, kind: &str, body: Vec<u8>) -> Value {
    post_form_to(world, "files.upload", token, kind, body).await
}

/// Calls a method with a form.
pub(crate) async fn post_form_to(
    world: &World,
    method: &str,
    token: Option<&str>,
    kind: &str,
    body: Vec<u8>,
) -> Value {
    let mut request = Request::post(format!("/api/{method}")).header("content-type", kind);
    request = request.header("content-length", body.len());
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    world.send(request.body(Body::from(body)).unwrap()).await.json()
}

#[tokio::test]
async fn the_method_that_slack_gave_up_takes_files_and_texts() {
    let world = World::new().await;
    let general = world.general.to_string();
    let multipart = "multipart/form-data; boundary=b";
    // Larger than any other body may be.
    let large: Vec<u8> = (0..3_000_000u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let fields = [("channels", general.as_str()), ("initial_comment", "see"), ("title", "Large")];
    let answer =
        post_form(&world, Some(&world.bob.token), multipart, form(&fields, Some(("large.bin", &large))))
            .await;
    let file = &answer["file"];
    assert_eq!(
        (&file["name"], &file["title"], &file["size"]),
        (&json!("large.bin"), &json!("Large"), &json!(3_000_000))
    );
    assert_eq!((&file["channels"], &file["mode"]), (&json!([general]), &json!("hosted")));
    assert_eq!(get(&world, &world.bob, path(&file["url_private"]), &[]).await.bytes, large);
    let page = world.call(&world.eve, "conversations.history", json!({ "channel": general })).await;
    assert_eq!(
        (&page["messages"][0]["text"], &page["messages"][0]["files"][0]["id"]),
        (&json!("see"), &file["id"])
    );
    // The token in the form, before the file; a name that comes after it.
    let mut late = form(&[("token", &world.bob.token)], Some(("x", PNG)));
    late.truncate(late.len() - b"--b--\r\n".len());
    late.extend_from_slice(&form(&[("filename", "plan.png")], None)[2..]);
    let answer = post_form(&world, None, multipart, late).await;
    assert_eq!((&answer["file"]["name"], &answer["file"]["filetype"]), (&json!("plan.png"), &json!("png")));
    // Content: a snippet, also of bytes that are no text, then a file.
    let urlencoded = "application/x-www-form-urlencoded";
    for (body, mode, filetype, bytes) in [
        ("content=fn+main&filename=main.rs", "snippet", "rust", b"fn main".as_slice()),
        ("content=x%3D1&filetype=python", "snippet", "python", b"x=1"),
        ("content=x&filetype=nonsense", "snippet", "text", b"x"),
        ("content=%ff%fe%00&filename=a.bin", "hosted", "binary", b"\xff\xfe\0"),
    ] {
        let answer = post_form(&world, Some(&world.bob.token), urlencoded, body.into()).await;
        let file = &answer["file"];
        assert_eq!((&file["mode"], &file["filetype"]), (&json!(mode), &json!(filetype)), "{body}: {answer}");
        assert_eq!(get(&world, &world.bob, path(&file["url_private"]), &[]).await.bytes, bytes, "{body}");
    }
    let made = world
        .call(&world.bob, "files.upload", json!({ "content": "text", "title": "T", "channels": general }))
        .await;
    assert_eq!((&made["file"]["title"], &made["file"]["name"]), (&json!("T"), &json!("Untitled")));
}

#[tokio::test]
async fn what_cannot_be_uploaded_in_one_call_is_refused() {
    let world = World::with(api::role::Config {
        rate_limits: api::role::RateLimits::Off,
        files: api::role::FileLimits { bytes_max: 1_000, workspace_bytes_max: 0 },
        ..config()
    })
    .await;
    let multipart = "multipart/form-data; boundary=b";
    let bob = Some(world.bob.token.as_str());
    let whole = || form(&[], Some(("a", b"x")));
    let code = async |token: Option<&str>, kind: &str, body| {
        post_form(&world, token, kind, body).await["error"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(code(None, multipart, whole()).await, "not_authed");
    assert_eq!(code(Some("xoxp-x"), multipart, whole()).await, "invalid_auth");
    let late = [
        form(&[], Some(("a", b"x")))[..].strip_suffix(b"--b--\r\n").unwrap(),
        &form(&[("token", &world.bob.token)], None)[2..],
    ]
    .concat();
    assert_eq!(
        code(None, multipart, late).await,
        "not_authed",
        "nothing is taken before its sender is known"
    );
    assert_eq!(code(bob, multipart, form(&[], None)).await, "no_file_data");
    assert_eq!(
        code(bob, multipart, form(&[], Some(("a", &[0; 1_001])))).await,
        "file_upload_size_restricted"
    );
    assert_eq!(code(bob, multipart, whole()[..40].to_vec()).await, "invalid_form_data");
    assert_eq!(code(bob, "multipart/form-data", whole()).await, "invalid_form_data");
    let two = [whole().strip_suffix(b"--b--\r\n").unwrap(), &whole()[2..]].concat();
    assert_eq!(code(bob, multipart, two).await, "invalid_form_data");
    for (args, expect) in [
        (json!({}), "no_file_data"),
        (json!({ "content": "" }), "no_file_data"),
        (json!({ "content": "x", "channels": "nowhere" }), "channel_not_found"),
        (json!({ "content": "x", "channels": world.private().await }), "channel_not_found"),
        (
            json!({ "content": "x", "channels": world.general.to_string(), "thread_ts": "x" }),
            "invalid_thread_ts",
        ),
    ] {
        assert_eq!(world.refused(&world.eve, "files.upload", args.clone()).await, expect, "{args}");
    }
    assert_eq!(world.call(&world.eve, "files.list", json!({})).await["files"], json!([]));
}
