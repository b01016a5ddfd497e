//! Error codes: each method is made to give those that it can give here (`codes/provoked.txt`); what Slack lists besides
//! cannot occur, for the reason given (`codes/absent.txt`). Where Slack's own list is at hand
//! (`method_errors.json` in `PARLANCE_SLACK_TABLES`), every code of it is in one of these lists, and no line of them is idle.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
};

use api::{
    methods::METHODS,
    role::{Config, FileLimits, RateLimits},
};
use axum::body::Body;
use http::Request;
use model::{BotId, Credential};
use serde_json::{Value, json};
use store::{NewCredential, NewPerson, SecretHash, WriteKind};

use crate::world::{Person, START_US, World, config};

const PROVOKED: &str = include_str!("codes/provoked.txt");
const ABSENT: &str = include_str!("codes/absent.txt");

/// Codes that each method gives before it looks at what it is asked, see [`each_method_checks_who_calls_and_how`].
const BEFORE: &[&str] = &[
    "invalid_charset",
    "invalid_form_data",
    "invalid_post_type",
    "missing_post_type",
    "missing_scope",
    "not_allowed_token_type",
    "not_authed",
    "ratelimited",
    "token_expired",
    "token_revoked",
    "unknown_method",
];

/// What only a form with a file can bring about: tested in `photos.rs`.
const BY_FORMS: &[(&str, &str)] = &[("users.setPhoto", "too_large")];

/// Methods without an argument that must be a single value: the others give `invalid_array_arg`.
const NOTHING_SINGLE: &[&str] = &[
    "api.test",
    "auth.test",
    "client.counts",
    "client.userBoot",
    "dnd.endDnd",
    "dnd.endSnooze",
    "parlance.invite.accept",
    "parlance.invite.info",
    "parlance.setup",
    "parlance.signout",
    "parlance.status",
    "realtime.connect",
    "rtm.connect",
    "team.preferences.list",
    "users.deletePhoto",
    "users.prefs.get",
    "users.setActive",
];

/// Lists where one value is taken.
const LISTS: &[u8] = br#"{"bot":["x"],"channel":["x"],"channel_id":["x"],"count":["x"],"crop_x":["x"],"cursor":["x"],"email":["x"],
"file":["x"],"filename":["x"],"filetype":["x"],"limit":["x"],"name":["x"],"num_minutes":["x"],"presence":["x"],"team":["x"],"team_id":["x"],"text":["x"],"ts":["x"],
"user":["x"],"test":["x"]}"#;

/// A call that is refused: a line of `provoked.txt`.
struct Provoked {
    /// In the workspace whose admins restricted it.
    restricted: bool,
    method: &'static str,
    who: &'static str,
    /// JSON. Words with a `$` stand for something: see [`Scene`].
    arguments: &'static str,
    code: &'static str,
}

fn provoked() -> Vec<Provoked> {
    let mut restricted = false;
    let mut rows = Vec::new();
    for line in PROVOKED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line == "[restricted]" {
            restricted = true;
            continue;
        }
        let words = (|| {
            let (method, rest) = line.split_once(' ')?;
            let (who, rest) = rest.split_once(' ')?;
            let (arguments, code) = rest.rsplit_once(' ')?;
            Some(Provoked { restricted, method, who, arguments, code })
        })();
        rows.push(words.unwrap_or_else(|| panic!("not a row: {line}")));
    }
    rows
}

/// What the calls are about.
struct Scene {
    world: World,
    /// An admin who is no owner.
    root: Person,
    words: BTreeMap<&'static str, String>,
}

impl Scene {
    async fn new() -> Self {
        let files = FileLimits { workspace_bytes_max: 64 << 20, ..FileLimits::default() };
        let rate_limits = RateLimits::Off;
        let world = World::with(Config { files, rate_limits, ..config() }).await;
        let (ada, bob) = (&world.ada, &world.bob);
        let made = async |name: &str, private: bool| {
            let arguments = json!({ "name": name, "is_private": private });
            let answer = world.call(ada, "conversations.create", arguments).await;
            answer["channel"]["id"].as_str().unwrap().to_owned()
        };
        let (hers, archived, alone) =
            (made("hers", false).await, made("archived", false).await, made("alone", true).await);
        let (general, random) = (world.general.to_string(), world.random.to_string());
        world.call(bob, "conversations.join", json!({ "channel": archived })).await;
        let last = world.post(ada, &archived, "last").await;
        world.call(ada, "conversations.archive", json!({ "channel": archived })).await;
        let (ts, pinned) =
            (world.post(ada, &general, "hello").await, world.post(ada, &general, "look").await);
        let (bobs, bots) =
            (world.post(bob, &random, "mine").await, world.post(&world.bot, &general, "beep").await);
        let herts = world.post(ada, &hers, "hers").await;
        let answer = json!({ "channel": general, "thread_ts": ts, "text": "answer" });
        let reply = world.call(ada, "chat.postMessage", answer).await["ts"].as_str().unwrap().to_owned();
        // As many as may be on their way at a time.
        let later = START_US / 1_000_000 + 3_600;
        let full = world.post(bob, &random, "full").await;
        let hands = "wave +1 -1 clap raised_hands pray ok_hand muscle point_up fist";
        let tones =
            hands.split(' ').flat_map(|hand| (2..7).map(move |tone| format!("{hand}::skin-tone-{tone}")));
        for name in tones.take(store::REACTION_KINDS_MAX) {
            let one = json!({ "channel": random, "timestamp": full, "name": name });
            world.call(bob, "reactions.add", one).await;
        }
        for _ in 0..store::PINS_MAX {
            let pin = json!({ "channel": hers, "timestamp": world.post(ada, &hers, "pin").await });
            world.call(ada, "pins.add", pin).await;
        }
        for _ in 0..store::SCHEDULED_MAX {
            let scheduled = json!({ "channel": general, "text": "later", "post_at": later });
            world.call(&world.eve, "chat.scheduleMessage", scheduled).await;
        }
        let root = NewPerson {
            id: model::UserId::from_random(0x5007),
            name: "root".to_owned(),
            real_name: "Another Admin".to_owned(),
            email: "root@example.org".to_owned(),
            password_hash: None,
            role: model::Role::Admin,
            tz: "Etc/UTC".to_owned(),
            quiet: true,
        };
        let root_id = root.id;
        world.write(WriteKind::AddPerson(Box::new(root))).await;
        let scopes = api::methods::every_scope(Credential::User);
        let root = Person { id: root_id, token: world.token(Credential::User, Some(root_id), &scopes).await };
        let item = json!({ "channel": general, "timestamp": pinned, "name": "eyes" });
        world.call(bob, "pins.add", item.clone()).await;
        world.call(bob, "reactions.add", item).await;
        let upload = async |name: &str| {
            let upload = json!({ "filename": name, "content": "x", "channels": general });
            world.call(bob, "files.upload", upload).await["file"]["id"].as_str().unwrap().to_owned()
        };
        let (file, deleted) = (upload("kept.txt").await, upload("deleted.txt").await);
        world.call(bob, "files.delete", json!({ "file": deleted })).await;
        let stored = stored(&world, bob).await;
        let opened = world.call(ada, "conversations.open", json!({ "users": bob.id.to_string() })).await;
        let many = |each: Value, number: usize| json!(vec![each; number]).to_string();
        let attachment = |characters: usize| json!({ "text": "x".repeat(characters) });
        let paragraph =
            json!({ "type": "section", "text": { "type": "plain_text", "text": "x".repeat(3_000) } });
        let metadata = json!({ "event_type": "x", "event_payload": { "x": "x".repeat(20_000) } });
        let people = |number: u64| {
            let ids: Vec<String> = (0..number).map(|n| model::UserId::from_random(n).to_string()).collect();
            ids.join(",")
        };
        let words = BTreeMap::from([
            ("$general", general),
            ("$random", random),
            ("$secret", world.private().await),
            ("$hers", hers),
            ("$archived", archived),
            ("$alone", alone),
            ("$direct", opened["channel"]["id"].as_str().unwrap().to_owned()),
            ("$nowhere", "C000000000000".to_owned()),
            ("$ts", ts),
            ("$full", full),
            ("$herts", herts),
            ("$reply", reply),
            ("$pinned", pinned),
            ("$last", last),
            ("$bobs", bobs),
            ("$bots", bots),
            ("$ada", ada.id.to_string()),
            ("$bob", bob.id.to_string()),
            ("$bot", BotId::from_random(0xb07).to_string()),
            ("$eve", world.eve.id.to_string()),
            ("$nine", people(9)),
            ("$later", later.to_string()),
            ("$file", file),
            ("$deleted", deleted),
            ("$stored", json!([{ "id": stored }]).to_string()),
            ("$no_files", json!([{ "id": "F000000000000" }]).to_string()),
            ("$hundred", vec!["x"; 101].join(",")),
            ("$long", "x".repeat(300)),
            ("$huge", "x".repeat(45_000)),
            ("$attachments", many(attachment(1), 101)),
            ("$heavy", many(attachment(60_000), 2)),
            ("$longblocks", many(paragraph, 45)),
            ("$metadata", metadata.to_string()),
        ]);
        Self { world, root, words }
    }

    /// The admins leave nearly nothing to others, and what was written is old.
    async fn restrict(&self) {
        let prefs = json!({
            "who_can_post_general": "admin",
            "who_can_create_channels": "admin",
            "who_can_archive_channels": "owner",
            "who_can_invite": "admin",
            "who_can_kick_channels": "admin",
            "who_can_kick_groups": "admin",
            "msg_edit_window_mins": 0,
        });
        let arguments = json!({ "prefs": prefs });
        self.world.call(&self.world.ada, "parlance.team.setPreferences", arguments).await;
        self.world.clock.set(START_US + 1_000_000);
    }

    fn person(&self, who: &str) -> Person {
        match who {
            "ada" => self.world.ada.clone(),
            "bob" => self.world.bob.clone(),
            "eve" => self.world.eve.clone(),
            "bot" => self.world.bot.clone(),
            "root" => self.root.clone(),
            "wrong" => Person { token: "xoxp-nonsense".to_owned(), ..self.world.bob.clone() },
            other => panic!("nobody is {other}"),
        }
    }

    fn arguments(&self, arguments: &str) -> Value {
        let mut arguments: Value =
            serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{error}: {arguments}"));
        for value in arguments.as_object_mut().unwrap().values_mut() {
            if let Some(word) = value.as_str().filter(|text| text.starts_with('$')) {
                *value = json!(self.words[word]);
            }
        }
        arguments
    }
}

#[tokio::test]
async fn each_method_gives_its_codes() {
    let scene = Scene::new().await;
    let (mut wrong, mut restricted) = (Vec::new(), false);
    for row in provoked() {
        if row.restricted && !restricted {
            scene.restrict().await;
            restricted = true;
        }
        let arguments = scene.arguments(row.arguments);
        let answer = scene.world.try_call(&scene.person(row.who), row.method, arguments).await;
        if answer["error"] != row.code {
            let answer: String = answer.to_string().chars().take(300).collect();
            wrong
                .push(format!("{} {} by {}: {answer}, not {}", row.method, row.arguments, row.who, row.code));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A file whose bytes were sent, and that was not completed.
async fn stored(world: &World, who: &Person) -> String {
    let announced = json!({ "filename": "stored.txt", "length": 4 });
    let announced = world.call(who, "files.getUploadURLExternal", announced).await;
    let to = announced["upload_url"].as_str().unwrap();
    assert_eq!(world.send(Request::post(to).body(Body::from("text")).unwrap()).await.status, 200);
    announced["file_id"].as_str().unwrap().to_owned()
}

/// The code that a request for a method gets.
async fn code(world: &World, method: &str, token: &str, kind: Option<&str>, body: &'static [u8]) -> String {
    let mut request = Request::post(format!("/api/{method}"));
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    let answer = world.send(request.body(Body::from(body)).unwrap()).await;
    answer.json()["error"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn each_method_checks_who_calls_and_how() {
    let world = World::new().await;
    let ada = world.ada.id;
    let all = api::methods::every_scope(Credential::User);
    let revoked = world.token(Credential::User, Some(ada), &all).await;
    world.call(&Person { id: ada, token: revoked.clone() }, "auth.revoke", json!({})).await;
    let expired = api::tokens::generate(Credential::User, world.team, None).unwrap();
    world
        .write(WriteKind::AddCredential(NewCredential {
            secret: SecretHash::of(&expired),
            kind: Credential::User,
            user: Some(ada),
            bot: None,
            app: None,
            scopes: all,
            expires: Some(START_US - 1),
        }))
        .await;
    let mut takes_single = BTreeSet::new();
    let useless = world.token(Credential::User, Some(ada), "nothing:useful").await;
    for method in METHODS {
        let name = method.name;
        let expect = async |token: &str, kind: Option<&str>, body: &'static [u8], expected: &str| {
            assert_eq!(code(&world, name, token, kind, body).await, expected, "{name} {kind:?}");
        };
        assert_eq!(code(&world, &format!("{name}x"), &world.ada.token, None, b"").await, "unknown_method");
        let reader = world.ada.token.as_str();
        expect(reader, Some("text/plain"), b"x", "invalid_post_type").await;
        expect(reader, None, b"a=b", "missing_post_type").await;
        expect(reader, Some("application/json"), b"{\"a\":\"\xff\"}", "invalid_charset").await;
        expect(reader, Some("application/x-www-form-urlencoded"), b"a=%ff", "invalid_form_data").await;
        // Some end what they are called with.
        let spare =
            world.token(Credential::User, Some(ada), &api::methods::every_scope(Credential::User)).await;
        let single = code(&world, name, &spare, Some("application/json"), LISTS).await;
        if single == "invalid_array_arg" {
            takes_single.insert(name);
        }
        if method.access == api::methods::Access::Anyone {
            continue;
        }
        expect("", None, b"", "not_authed").await;
        expect("nonsense", None, b"", "invalid_auth").await;
        expect(&revoked, None, b"", "token_revoked").await;
        expect(&expired, None, b"", "token_expired").await;
        for (kind, token) in [(Credential::App, &world.app_token), (Credential::Bot, &world.bot.token)] {
            if method.access.scopes_for(kind).is_none() {
                expect(token, None, b"", "not_allowed_token_type").await;
            }
        }
        match method.access.scopes_for(Credential::User) {
            None => expect(reader, None, b"", "not_allowed_token_type").await,
            Some([]) => {}
            Some(_) => expect(&useless, None, b"", "missing_scope").await,
        }
    }
    let others: Vec<_> =
        METHODS.iter().map(|method| method.name).filter(|name| !takes_single.contains(name)).collect();
    assert_eq!(others, NOTHING_SINGLE);
}

#[tokio::test(start_paused = true)]
async fn each_method_has_a_tier() {
    let world = World::with(Config { rate_limits: RateLimits::Slack, ..config() }).await;
    for method in METHODS.iter().filter(|method| method.tier.rate().is_some()) {
        // The browser's, which has a limit for all its calls.
        if method.name == "parlance.signout" {
            continue;
        }
        let token = if method.access.scopes_for(Credential::Bot).is_some() {
            &world.bot.token
        } else {
            &world.ada.token
        };
        // Nothing that a token does may end it.
        let (attempt, mut calls) = (format!("{}?test=true", method.name), 0);
        while code(&world, &attempt, token, None, b"").await != "ratelimited" {
            calls += 1;
            assert!(calls <= 700, "{}", method.name);
        }
        assert!(calls >= 10, "{}: {calls}", method.name);
    }
}

/// Codes that cannot occur, with the method or `*`, from `absent.txt`: `method code: reason`.
fn absent() -> Vec<(&'static str, &'static str)> {
    let lines = ABSENT.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &'static str| {
        let (what, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}"));
        assert!(!reason.trim().is_empty(), "no reason: {line}");
        let (methods, codes) = what.split_once(' ').unwrap_or_else(|| panic!("not a row: {line}"));
        let pairs =
            methods.split(',').flat_map(move |method| codes.split(',').map(move |code| (method, code)));
        pairs.collect::<Vec<_>>()
    };
    lines.flat_map(row).collect()
}

#[test]
fn every_code_of_slack_is_tested_or_cannot_occur() {
    let absent = absent();
    let unique: BTreeSet<_> = absent.iter().collect();
    assert_eq!(unique.len(), absent.len(), "a code is listed twice");
    let Some(tables) = std::env::var_os("PARLANCE_SLACK_TABLES") else {
        let why = "PARLANCE_SLACK_TABLES names no folder with Slack's list of codes";
        writeln!(std::io::stderr(), "skipped: codes::every_code_of_slack_is_tested_or_cannot_occur: {why}")
            .ok();
        return;
    };
    let path = std::path::Path::new(&tables).join("method_errors.json");
    let listed: BTreeMap<String, Vec<String>> =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut tested: BTreeSet<(&str, &str)> = provoked().iter().map(|row| (row.method, row.code)).collect();
    tested.extend(BY_FORMS);
    for method in METHODS {
        tested.extend(BEFORE.iter().map(|code| (method.name, *code)));
        if !NOTHING_SINGLE.contains(&method.name) {
            tested.insert((method.name, "invalid_array_arg"));
        }
    }
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for method in METHODS {
        for code in listed.get(method.name).into_iter().flatten() {
            let is_tested = tested.contains(&(method.name, code));
            let reasons = [(method.name, code.as_str()), ("*", code.as_str())];
            match reasons.iter().find(|reason| unique.contains(reason)) {
                Some(reason) if !is_tested => {
                    used.insert(*reason);
                }
                Some(_) => wrong.push(format!("{} {code}: said not to occur, and tested", method.name)),
                None if is_tested => {}
                None => wrong.push(format!("{} {code}: neither tested nor listed", method.name)),
            }
        }
    }
    wrong.extend(unique.iter().filter(|row| !used.contains(**row)).map(|row| format!("{row:?}: of no use")));
    assert!(wrong.is_empty(), "{} codes:\n{}", wrong.len(), wrong.join("\n"));
}
