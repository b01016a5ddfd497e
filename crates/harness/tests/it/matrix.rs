//! I5 and I7 as a matrix: every method of the server's table, called by everybody who may not have what it is asked for,
//! gives the refusal that what is not there gives, and no byte of it.
//!
//! A method without a row fails the test: add one line to [`row`].

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::sandbox::{Sandbox, parlance, seed};
use harness::socket::{Socket, boot_positions};
use model::{AppId, BotId, Credential, UserId, WorkspaceId};
use serde_json::{Value, json};
use server::config::Config;
use store::{NewCredential, SecretHash, Write, WriteKind};

use crate::workspaces::add_workspace;

/// How a method is called.
enum Row {
    /// About a conversation: `CHANNEL` (and `TS` in it) stand for one that the caller may not know of.
    Channel(&'static [(&'static str, &'static str)]),
    /// About a person or bot: `USER` and `BOT` stand for somebody of the first workspace.
    Person(&'static [(&'static str, &'static str)]),
    /// About the caller, or about what everybody in the workspace may know.
    Own(&'static [(&'static str, &'static str)]),
    /// It ends what it is called with: called only by who may not call it at all.
    Ends,
    /// Needs no token.
    Anyone,
}

fn row(method: &str) -> Option<Row> {
    use Row::{Anyone, Channel, Ends, Own, Person};
    Some(match method {
        "admin.conversations.convertToPrivate" | "admin.conversations.convertToPublic" => {
            Channel(&[("channel_id", "CHANNEL")])
        }
        "api.test"
        | "parlance.invite.accept"
        | "parlance.invite.info"
        | "parlance.setup"
        | "parlance.signin"
        | "parlance.status" => Anyone,
        "auth.revoke" => Own(&[("test", "true")]),
        "activity.mentions"
        | "auth.test"
        | "client.counts"
        | "client.userBoot"
        | "dnd.endDnd"
        | "dnd.endSnooze"
        | "realtime.connect"
        | "rtm.connect"
        | "subscriptions.thread.getView"
        | "team.info"
        | "team.preferences.list"
        | "users.list"
        | "users.prefs.get"
        | "users.setActive"
        | "chat.scheduledMessages.list"
        | "parlance.invite.create" => Own(&[]),
        "bots.info" => Person(&[("bot", "BOT")]),
        "chat.delete" => Channel(&[("channel", "CHANNEL"), ("ts", "TS")]),
        "chat.deleteScheduledMessage" => {
            Channel(&[("channel", "CHANNEL"), ("scheduled_message_id", "Q000000000000")])
        }
        "chat.getPermalink" => Channel(&[("channel", "CHANNEL"), ("message_ts", "TS")]),
        "chat.meMessage" | "chat.postMessage" => Channel(&[("channel", "CHANNEL"), ("text", "hello")]),
        "chat.postEphemeral" => Channel(&[("channel", "CHANNEL"), ("text", "hello"), ("user", "USER")]),
        "chat.scheduleMessage" => Channel(&[("channel", "CHANNEL"), ("text", "hello"), ("post_at", "LATER")]),
        "chat.update" => Channel(&[("channel", "CHANNEL"), ("ts", "TS"), ("text", "mine")]),
        "conversations.archive"
        | "conversations.close"
        | "conversations.history"
        | "conversations.info"
        | "conversations.join"
        | "conversations.leave"
        | "conversations.members"
        | "conversations.open"
        | "conversations.unarchive"
        | "pins.list" => Channel(&[("channel", "CHANNEL")]),
        "conversations.create" => Own(&[("name", "general")]),
        "conversations.invite" => Channel(&[("channel", "CHANNEL"), ("users", "USER")]),
        "conversations.kick" => Channel(&[("channel", "CHANNEL"), ("user", "USER")]),
        "conversations.list" | "users.conversations" => {
            Own(&[("types", "public_channel,private_channel,mpim,im"), ("limit", "1000")])
        }
        "conversations.mark" | "conversations.replies" => Channel(&[("channel", "CHANNEL"), ("ts", "TS")]),
        "conversations.rename" => Channel(&[("channel", "CHANNEL"), ("name", "other")]),
        "conversations.setPurpose" => Channel(&[("channel", "CHANNEL"), ("purpose", "x")]),
        "conversations.setTopic" => Channel(&[("channel", "CHANNEL"), ("topic", "x")]),
        "dnd.info" | "users.getPresence" | "users.info" | "users.profile.get" | "reactions.list" => {
            Person(&[("user", "USER")])
        }
        "dnd.setSnooze" => Own(&[("num_minutes", "1")]),
        "dnd.teamInfo" => Person(&[("users", "USER")]),
        "parlance.journey" => Channel(&[("channel", "CHANNEL"), ("ts", "TS")]),
        "parlance.signout" => Ends,
        "pins.add" | "pins.remove" | "reactions.get" => {
            Channel(&[("channel", "CHANNEL"), ("timestamp", "TS")])
        }
        "reactions.add" | "reactions.remove" => {
            Channel(&[("channel", "CHANNEL"), ("timestamp", "TS"), ("name", "wave")])
        }
        "subscriptions.thread.add"
        | "subscriptions.thread.get"
        | "subscriptions.thread.mark"
        | "subscriptions.thread.remove" => {
            Channel(&[("channel", "CHANNEL"), ("thread_ts", "TS"), ("ts", "TS")])
        }
        "users.lookupByEmail" => Person(&[("email", "EMAIL")]),
        "parlance.team.setPreferences" => Own(&[("name", "who_can_invite"), ("value", "admin")]),
        "presence.set" | "users.setPresence" => Own(&[("presence", "away")]),
        "users.prefs.set" => Own(&[("name", "time24"), ("value", "true")]),
        "users.profile.set" => Own(&[("name", "title"), ("value", "x")]),
        _ => return None,
    })
}

/// What of the first workspace a row's words stand for.
#[derive(Clone)]
struct Words {
    channel: String,
    ts: String,
    user: String,
    bot: String,
    email: String,
    later: String,
}

impl Words {
    fn fill<'a>(&'a self, row: &'a [(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let word = |value: &'a str| match value {
            "CHANNEL" => self.channel.as_str(),
            "TS" => &self.ts,
            "USER" => &self.user,
            "BOT" => &self.bot,
            "EMAIL" => &self.email,
            "LATER" => &self.later,
            other => other,
        };
        row.iter().map(|(name, value)| (*name, word(value))).collect()
    }
}

/// Things that nobody may see who is not in the channels that have them.
struct Canaries(Vec<String>);

impl Canaries {
    fn check(&self, what: &str, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary.as_str()), "{what} has a canary: {text}");
        }
    }
}

/// A token that only the store can make: of a bot without scopes, or one that has expired.
async fn add_token(config: &Config, workspace: WorkspaceId, credential: NewCredential) -> Result<()> {
    let (mut log, _held) = server::stores::open(config).await?.into_log(0)?;
    let writes = vec![Write { workspace, kind: WriteKind::AddCredential(credential) }];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_micros().try_into()?;
    for outcome in log.commit(writes, now).await? {
        outcome.result.context("a token")?;
    }
    Ok(())
}

#[tokio::test]
async fn everybody_is_refused_what_they_may_not_have_and_learns_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let seeded = seed(&data, 1).await?;
    let config = Config { data: data.to_str().context("path")?.to_owned(), ..Config::default() };
    let elsewhere = add_workspace(&config, 0).await?;
    let workspace: WorkspaceId = seeded.workspace.id.parse()?;
    let (bot_user, bot): (UserId, BotId) = (seeded.bot.user_id.parse()?, seeded.bot.bot_id.parse()?);
    let app: AppId = seeded.app.id.parse()?;
    let person: UserId = seeded.people[2].id.parse()?;
    let scopeless = api::tokens::generate(Credential::Bot, workspace, Some(app))?;
    let expired = api::tokens::generate(Credential::User, workspace, None)?;
    let revoked = api::tokens::generate(Credential::User, workspace, None)?;
    for (token, kind, user, bot, scopes, expires) in [
        (&scopeless, Credential::Bot, bot_user, Some((bot, app)), "nothing:read".to_owned(), None),
        (&expired, Credential::User, person, None, api::methods::every_scope(Credential::User), Some(1)),
        (&revoked, Credential::User, person, None, api::methods::every_scope(Credential::User), None),
    ] {
        let credential = NewCredential {
            secret: SecretHash::of(token),
            kind,
            user: Some(user),
            bot: bot.map(|(bot, _)| bot),
            app: bot.map(|(_, app)| app),
            scopes,
            expires,
        };
        add_token(&config, workspace, credential).await?;
    }
    let server = Sandbox::on(&data, seeded).await?;
    let (ann, removed, stranger) = (server.person(0)?, server.person(1)?, server.person(2)?);
    server.api(&revoked).ok("auth.revoke", &[]).await?;

    // A private channel and a DM, with canaries in all that they have.
    let canary = |what: &str| format!("{what}{}", &uuid::Uuid::new_v4().simple().to_string()[..20]);
    let canaries = Canaries(["name", "topic", "text", "reply", "purpose", "direct"].map(canary).to_vec());
    let [name, topic, text, reply, purpose, direct_text] = canaries.0.clone().try_into().expect("six");
    let made = ann.ok("conversations.create", &[("name", &name), ("is_private", "true")]).await?;
    let private = made["channel"]["id"].as_str().context("channel")?.to_owned();
    let removed_id = server.seed.people[1].id.clone();
    ann.ok("conversations.invite", &[("channel", &private), ("users", &removed_id)]).await?;
    ann.ok("conversations.kick", &[("channel", &private), ("user", &removed_id)]).await?;
    let mut sockets = Vec::new();
    for api in [&removed, &stranger, &server.api(&elsewhere.token)] {
        let mut socket = Socket::realtime(api).await?;
        socket.resume(&boot_positions(api).await?).await?;
        sockets.push(socket);
        sockets.push(Socket::rtm(api).await?);
    }
    let ts = ann.post(&private, &text).await?;
    ann.ok("chat.postMessage", &[("channel", &private), ("thread_ts", &ts), ("text", &reply)]).await?;
    ann.ok("conversations.setTopic", &[("channel", &private), ("topic", &topic)]).await?;
    ann.ok("conversations.setPurpose", &[("channel", &private), ("purpose", &purpose)]).await?;
    ann.ok("reactions.add", &[("channel", &private), ("timestamp", &ts), ("name", "wave")]).await?;
    ann.ok("pins.add", &[("channel", &private), ("timestamp", &ts)]).await?;
    let member = server.seed.members[0].id.clone();
    let direct = ann.ok("conversations.open", &[("users", &member)]).await?;
    let direct = direct["channel"]["id"].as_str().context("DM")?.to_owned();
    let direct_ts = ann.post(&direct, &direct_text).await?;

    let later = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() + 3_600;
    let there = Words {
        channel: private,
        ts,
        user: server.seed.people[0].id.clone(),
        bot: server.seed.bot.bot_id.clone(),
        email: server.seed.people[0].email.clone(),
        later: later.to_string(),
    };
    let in_direct = Words { channel: direct, ts: direct_ts, ..there.clone() };
    let nowhere = Words {
        channel: "C000000000000".to_owned(),
        user: "U000000000000".to_owned(),
        bot: "B000000000000".to_owned(),
        email: "nobody@example.org".to_owned(),
        ..there.clone()
    };
    let no_channel = Words { user: there.user.clone(), ..nowhere.clone() };
    let table: Vec<Value> = serde_json::from_str(&parlance(&["methods"]).await?.stdout)?;
    ensure!(table.len() > 60, "a table of methods");
    let others = [
        ("a stranger", stranger),
        ("a removed member", removed),
        ("another workspace", server.api(&elsewhere.token)),
    ];
    let mut cells = 0;
    for method in &table {
        let name = method["name"].as_str().context("name")?;
        let row = row(name).with_context(|| format!("{name} has no row in the matrix: add one"))?;
        for (who, api) in &others {
            let foreign = *who == "another workspace";
            cells += 1;
            match &row {
                Row::Channel(arguments) => {
                    let absent = called(api, name, &no_channel.fill(arguments), &canaries).await?;
                    ensure!(absent["ok"] == false, "{name} of nothing by {who}: {absent}");
                    for words in [&there, &in_direct] {
                        let answer = called(api, name, &words.fill(arguments), &canaries).await?;
                        assert_eq!(
                            answer, absent,
                            "{name} by {who}: what is secret looks like what is not there"
                        );
                    }
                }
                Row::Person(arguments) if foreign => {
                    let absent = called(api, name, &nowhere.fill(arguments), &canaries).await?;
                    let answer = called(api, name, &there.fill(arguments), &canaries).await?;
                    assert_eq!(answer, absent, "{name} by {who}");
                    let text = answer.to_string();
                    assert!(!text.contains(&there.user) && !text.contains(&there.email), "{name}: {text}");
                }
                Row::Person(arguments) | Row::Own(arguments) => {
                    let answer = called(api, name, &there.fill(arguments), &canaries).await?;
                    let foreign_id = foreign && answer.to_string().contains(&there.user);
                    assert!(!foreign_id, "{name} tells {who} of somebody: {answer}");
                }
                Row::Ends => {}
                Row::Anyone => {
                    called(api, name, &[], &canaries).await?;
                }
            }
        }
        let arguments = match &row {
            Row::Channel(arguments) | Row::Person(arguments) | Row::Own(arguments) => there.fill(arguments),
            Row::Ends => Vec::new(),
            Row::Anyone => continue,
        };
        let nobody = Api::new(server.url(), None);
        for (who, api, expect) in [
            ("nobody", nobody, "not_authed"),
            ("a revoked token", server.api(&revoked), "token_revoked"),
            ("an expired token", server.api(&expired), "token_expired"),
            ("a made-up token", server.api("xoxp-nothing"), "invalid_auth"),
        ] {
            cells += 1;
            let answer = called(&api, name, &arguments, &canaries).await?;
            assert_eq!(answer, json!({ "ok": false, "error": expect }), "{name} by {who}");
        }
        cells += 1;
        let answer = called(&server.api(&scopeless), name, &arguments, &canaries).await?;
        match method["bot"].as_array() {
            None => assert_eq!(answer["error"], "not_allowed_token_type", "{name} by a bot: {answer}"),
            Some(scopes) if scopes.is_empty() => {}
            Some(scopes) => {
                assert_eq!(answer["error"], "missing_scope", "{name} by a bot without scopes: {answer}");
                let needed = scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
                assert_eq!(
                    (&answer["needed"], &answer["provided"]),
                    (&json!(needed), &json!("nothing:read"))
                );
            }
        }
    }
    println!("{cells} cells of {} methods", table.len());
    for socket in &mut sockets {
        for frame in socket.drain(1).await? {
            canaries.check("a socket", &frame.to_string());
        }
    }
    let nobody = Api::new(server.url(), None);
    let metrics = nobody.request(reqwest::Method::GET, "/metrics").send().await?.text().await?;
    canaries.check("/metrics", &metrics);
    canaries.check("the log", &server.log());
    Ok(())
}

/// Calls a method and looks through all that comes back, headers included.
async fn called(api: &Api, method: &str, arguments: &[(&str, &str)], canaries: &Canaries) -> Result<Value> {
    let request = api.request(reqwest::Method::POST, &format!("/api/{method}")).form(arguments);
    let response = request.send().await?;
    canaries.check(method, &format!("{:?}", response.headers()));
    let text = response.text().await?;
    canaries.check(method, &text);
    serde_json::from_str(&text).with_context(|| format!("{method}: {text}"))
}
