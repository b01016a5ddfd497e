//! Photos: set, shown to whoever knows the address, replaced, taken away.

use axum::body::Body;
use http::Request;
use model::{Pattern, UserId};
use serde_json::{Value, json};

use crate::{
    files::{form_with, post_form_to},
    world::{Answer, Person, World},
};

const MULTIPART: &str = "multipart/form-data; boundary=b";
/// Names and values of a form.
type Fields<'a> = &'a [(&'a str, &'a str)];

const EDGES: [u32; 7] = [24, 32, 48, 72, 192, 512, 1_024];

/// A real picture, so many pixels wide and high.
fn picture(edge: u32) -> Vec<u8> {
    pictures::pattern::png(Pattern::of(UserId::from_raw(1)), edge).unwrap()
}

async fn set(world: &World, who: &Person, fields: Fields<'_>, picture: &[u8]) -> Value {
    let body = form_with("image", fields, Some(("me.png", picture)));
    post_form_to(world, "users.setPhoto", Some(&who.token), MULTIPART, body).await
}

async fn get(world: &World, address: &Value, headers: &[(&str, &str)]) -> Answer {
    let path = address.as_str().unwrap().strip_prefix(world.app.site()).unwrap();
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::empty()).unwrap()).await
}

async fn profile(world: &World, of: &Person) -> Value {
    world.call(&world.eve, "users.info", json!({ "user": of.id.to_string() })).await["user"]["profile"]
        .clone()
}

/// Width of a PNG or JPEG, which the worker's own tests look into: here only that it is the right one.
fn is_picture(answer: &Answer) -> bool {
    let [png, jpeg] = [b"\x89PNG".as_slice(), b"\xff\xd8\xff"].map(|magic| answer.bytes.starts_with(magic));
    let kind = answer.headers["content-type"].to_str().unwrap();
    png && kind == "image/png" || jpeg && kind == "image/jpeg"
}

#[tokio::test]
async fn a_photo_is_set_seen_replaced_and_taken_away() {
    let world = World::new().await;
    let before = profile(&world, &world.bob).await;
    assert_eq!((before.get("is_custom_image"), before.get("image_original")), (None, None));
    let pattern = get(&world, &before["image_48"], &[]).await;
    assert!(pattern.status == 200 && is_picture(&pattern), "who has none has a pattern");

    let answer =
        set(&world, &world.bob, &[("crop_x", "10"), ("crop_y", "0"), ("crop_w", "600")], &picture(800)).await;
    assert_eq!(answer["ok"], true, "{answer}");
    let now = profile(&world, &world.bob).await;
    assert_eq!(
        (&now["is_custom_image"], &now["avatar_hash"]),
        (&json!(true), &answer["profile"]["avatar_hash"])
    );
    let mut lengths = Vec::new();
    for edge in EDGES {
        let key = format!("image_{edge}");
        assert_eq!(now[&key], answer["profile"][&key]);
        // No token: as with Slack, the address is enough.
        let shown = get(&world, &now[&key], &[]).await;
        assert!(shown.status == 200 && is_picture(&shown), "{key}");
        assert_eq!(shown.headers["x-content-type-options"], "nosniff");
        assert!(shown.headers["cache-control"].to_str().unwrap().contains("immutable"));
        lengths.push(shown.bytes.len());
    }
    assert_eq!(now["image_1024"], now["image_original"], "600 pixels are all there are");
    assert!(lengths.windows(2).all(|pair| pair[0] <= pair[1]), "{lengths:?}");
    let tag = get(&world, &now["image_48"], &[]).await.headers["etag"].to_str().unwrap().to_owned();
    let again = get(&world, &now["image_48"], &[("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));

    // Another photo has other addresses; others' photos stay what they are.
    assert_eq!(set(&world, &world.bob, &[], &picture(100)).await["ok"], true);
    let newer = profile(&world, &world.bob).await;
    assert_ne!(newer["image_48"], now["image_48"]);
    assert_eq!(newer["image_72"].as_str().unwrap().rsplit('/').next(), Some("72.jpg"));
    assert_eq!(newer["image_192"], newer["image_original"]);
    // It is told to everybody: the event says the same as the profile.
    world.call(&world.bob, "users.deletePhoto", json!({})).await;
    assert_eq!(profile(&world, &world.bob).await, before);
    assert_eq!(world.call(&world.bob, "users.deletePhoto", json!({})).await["ok"], true, "twice is once");
    let due = world.app.deps.store.due_jobs(i64::MAX, 10).await.unwrap();
    let mut runs: Vec<_> = due.iter().map(|job| (job.kind.as_str(), job.run_at)).collect();
    runs.sort_unstable();
    assert_eq!(runs, [("delete_photo", crate::world::START_US); 2], "both are to be taken away now");
}

#[tokio::test]
async fn what_is_no_photo_is_refused_and_changes_nothing() {
    let world = World::new().await;
    assert_eq!(set(&world, &world.bob, &[], &picture(100)).await["ok"], true);
    let before = profile(&world, &world.bob).await;
    let good = picture(100);
    let mut huge = picture(100);
    huge[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let large = vec![0; api::photos::BYTES_MAX + 1];
    let cases: [(&str, Fields<'_>, &[u8]); 9] = [
        ("bad_image", &[], b"no picture"),
        ("bad_image", &[], b""),
        ("bad_image", &[], b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
        ("bad_image", &[], &good[..good.len() / 2]),
        ("bad_image", &[], &huge),
        ("too_large", &[], &large),
        ("invalid_arguments", &[("crop_x", "-1")], &good),
        ("invalid_arguments", &[("crop_w", "0")], &good),
        ("invalid_arguments", &[("crop_y", "left")], &good),
    ];
    for (code, fields, bytes) in cases {
        let answer = set(&world, &world.bob, fields, bytes).await;
        assert_eq!(answer["error"], code, "{fields:?}: {answer}");
    }
    let with = async |token: Option<&str>, body: Vec<u8>| {
        post_form_to(&world, "users.setPhoto", token, MULTIPART, body).await["error"].clone()
    };
    let whole = || form_with("image", &[], Some(("me.png", &good)));
    let bob = Some(world.bob.token.as_str());
    assert_eq!(with(None, whole()).await, "not_authed");
    assert_eq!(with(Some(&world.bot.token), whole()).await, "not_allowed_token_type");
    assert_eq!(with(bob, form_with("image", &[], None)).await, "bad_image");
    assert_eq!(with(bob, whole()[..90].to_vec()).await, "invalid_form_data");
    let two = [whole().strip_suffix(b"--b--\r\n").unwrap(), &whole()[2..]].concat();
    assert_eq!(with(bob, two).await, "invalid_form_data");
    // Without a form there is no picture.
    assert_eq!(world.refused(&world.bob, "users.setPhoto", json!({ "image": "x" })).await, "bad_image");
    assert_eq!(profile(&world, &world.bob).await, before);
    assert_eq!(world.app.pictures.available_permits(), api::photos::AT_ONCE_MAX, "a place was kept");
}

#[tokio::test]
async fn addresses_that_nobody_was_given_show_nothing() {
    let world = World::new().await;
    assert_eq!(set(&world, &world.bob, &[], &picture(100)).await["ok"], true);
    let known = profile(&world, &world.bob).await["image_48"].as_str().unwrap().to_owned();
    let path = known.strip_prefix(world.app.site()).unwrap();
    let (folder, _) = path.rsplit_once('/').unwrap();
    let hash = folder.rsplit('/').next().unwrap();
    for wrong in [
        format!("{folder}/49.jpg"),
        format!("{folder}/48.png"),
        format!("{folder}/%2e%2e"),
        format!("{folder}/../../x"),
        folder.to_owned(),
        path.replace(hash, &"0".repeat(32)),
        path.replace(&world.bob.id.to_string(), &world.eve.id.to_string()),
        "/photos/x".to_owned(),
        "/photos/none/g00000000000/47.png".to_owned(),
    ] {
        let answer = world.send(Request::get(&wrong).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 404, "{wrong}");
    }
    let me = world.call(&world.bot, "auth.test", json!({})).await;
    let bot = world.call(&world.bob, "bots.info", json!({ "bot": me["bot_id"] })).await;
    for icon in ["image_36", "image_48", "image_72"] {
        let shown = get(&world, &bot["bot"]["icons"][icon], &[]).await;
        assert!(shown.status == 200 && is_picture(&shown), "{icon}");
    }
    let answer = world.send(Request::post(path).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 405);
    let head = world.send(Request::head(path).body(Body::empty()).unwrap()).await;
    assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0));
    assert_ne!(head.headers["content-length"], "0");
}
