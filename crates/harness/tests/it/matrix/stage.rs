//! Two workspaces with secrets, and everybody who may not have them.

use anyhow::{Context, Result};
use harness::http::Api;
use harness::sandbox::seed;
use harness::socket::{FRAME_WITHIN, Frame, Socket, boot_positions};
use model::{AppId, BotId, Credential, UserId, WorkspaceId};
use server::config::Config;
use store::{NewCredential, SecretHash, Write, WriteKind};

use super::{Canaries, Sandbox, Words};
use crate::{files::upload, workspaces::add_workspace};

/// Who calls.
pub(super) struct Caller {
    pub(super) who: &'static str,
    pub(super) api: Api,
    /// Of the second workspace.
    pub(super) is_foreign: bool,
    pub(super) is_bot: bool,
    pub(super) is_admin: bool,
    /// What must be in nothing that they get.
    pub(super) unseen: Canaries,
}

/// A conversation that is kept from all callers, but for those whose own workspace's it is.
pub(super) struct Secret {
    pub(super) what: &'static str,
    pub(super) words: Words,
    is_foreign: bool,
}

impl Secret {
    /// The second workspace has one person, who knows its secret.
    pub(super) fn kept_from(&self, caller: &Caller) -> bool {
        !(self.is_foreign && caller.is_foreign)
    }
}

/// Tokens that are good for nothing, or for little.
pub(super) struct Tokens {
    pub(super) revoked: String,
    pub(super) expired: String,
    pub(super) deactivated: String,
    pub(super) scopeless: String,
}

/// A server with two workspaces.
pub(super) struct Stage {
    pub(super) server: Sandbox,
    pub(super) secrets: Vec<Secret>,
    pub(super) callers: Vec<Caller>,
    pub(super) tokens: Tokens,
    here: Canaries,
    elsewhere: Canaries,
    /// Open all the while, with what must not come.
    sockets: Vec<(&'static str, Socket, Canaries)>,
    _folder: tempfile::TempDir,
}

/// A member who is still there, and one who is deactivated before the server starts.
const MEMBERS: usize = 2;

impl Stage {
    pub(super) async fn new() -> Result<Stage> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let seeded = seed(&data, MEMBERS).await?;
        let config = Config { data: data.to_str().context("path")?.to_owned(), ..Config::default() };
        let second = add_workspace(&config, 0).await?;
        let workspace: WorkspaceId = seeded.workspace.id.parse()?;
        let app: AppId = seeded.app.id.parse()?;
        let bot: (UserId, BotId) = (seeded.bot.user_id.parse()?, seeded.bot.bot_id.parse()?);
        let user = |id: &str| -> Result<UserId> { Ok(id.parse()?) };
        let mut kept = Vec::new();
        for (owner, is_bot, expires) in [
            (user(&seeded.people[2].id)?, false, None),
            (user(&seeded.people[2].id)?, false, Some(1)),
            (user(&seeded.members[1].id)?, false, None),
            (user(&seeded.people[0].id)?, false, None),
            (bot.0, true, None),
        ] {
            let kind = if is_bot { Credential::Bot } else { Credential::User };
            let token = api::tokens::generate(kind, workspace, is_bot.then_some(app))?;
            let credential = NewCredential {
                secret: SecretHash::of(&token),
                kind,
                user: Some(owner),
                bot: is_bot.then_some(bot.1),
                app: is_bot.then_some(app),
                scopes: if is_bot { "nothing:read".to_owned() } else { api::methods::every_scope(kind) },
                expires,
            };
            add_token(&config, workspace, credential).await?;
            kept.push(token);
        }
        let [revoked, expired, deactivated, leaving, scopeless] =
            kept.try_into().ok().context("five tokens")?;
        deactivate(&data, user(&seeded.members[1].id)?)?;
        let server = Sandbox::on(&data, seeded).await?;
        let theirs = server.api(&second.token);
        server.api(&revoked).ok("auth.revoke", &[]).await?;

        let (here, names) = Canaries::new(["name", "topic", "purpose", "text", "reply"]);
        let (elsewhere, far) = Canaries::new(["far", "fartopic", "farpurpose", "fartext", "farreply"]);
        let (direct, [said]) = Canaries::new(["direct"]);
        let here = Canaries([here.0, direct.0].concat());
        let mut stage = Stage {
            tokens: Tokens { revoked, expired, deactivated, scopeless },
            secrets: Vec::new(),
            callers: Vec::new(),
            sockets: Vec::new(),
            _folder: folder,
            here,
            elsewhere,
            server,
        };
        stage.listen_and_leave(&names[0], &leaving, &theirs).await?;
        stage.make_secrets(&names, &far, &said, &theirs).await?;
        stage.meet(&theirs, &second.user)?;
        Ok(stage)
    }

    /// Ann's private channel, in which the second person was, and out of which two sockets hear nothing any more.
    async fn listen_and_leave(&mut self, name: &str, leaving: &str, theirs: &Api) -> Result<()> {
        let (ann, removed, stranger) =
            (self.server.person(0)?, self.server.person(1)?, self.server.person(2)?);
        let leaving = self.server.api(leaving);
        // What was said while they were there they may have heard: the name.
        let later = Canaries(self.here.0[1..].to_vec());
        for (who, api) in [("a removed member", &removed), ("a revoked token", &leaving)] {
            for socket in both(api).await? {
                self.sockets.push((who, socket, later.clone()));
            }
        }
        let made = ann.ok("conversations.create", &[("name", name), ("is_private", "true")]).await?;
        let private = made["channel"]["id"].as_str().context("channel")?;
        let removed_id = self.server.seed.people[1].id.clone();
        ann.ok("conversations.invite", &[("channel", private), ("users", &removed_id)]).await?;
        for (who, socket, _) in &mut self.sockets {
            let joined = if *who == "a removed member" { "group_joined" } else { "message" };
            socket.until(joined, |frame| frame["type"] == joined).await?;
        }
        ann.ok("conversations.kick", &[("channel", private), ("user", &removed_id)]).await?;
        for (who, socket, _) in &mut self.sockets {
            if *who == "a removed member" {
                socket.until("group_left", |frame| frame["type"] == "group_left").await?;
            }
        }
        leaving.ok("auth.revoke", &[]).await?;
        // From now on people are here who never were in it.
        let foreign = self.here.clone();
        let unseen = Canaries([self.here.0.clone(), self.elsewhere.0.clone()].concat());
        let bot = self.server.bot();
        for (who, api, unseen) in [
            ("a removed member, later", &removed, &unseen),
            ("a stranger", &stranger, &unseen),
            ("another workspace", theirs, &foreign),
        ] {
            for socket in both(api).await? {
                self.sockets.push((who, socket, unseen.clone()));
            }
        }
        // Our own protocol is for people.
        self.sockets.push(("a bot that is not in it", Socket::rtm(&bot).await?, unseen));
        let words = self.words(private.to_owned(), String::new())?;
        self.secrets.push(Secret { what: "a private channel", words, is_foreign: false });
        Ok(())
    }

    /// Everything that leaves traces, in the private channel, in a DM and in the second workspace.
    async fn make_secrets(
        &mut self,
        names: &[String; 5],
        far: &[String; 5],
        said: &str,
        theirs: &Api,
    ) -> Result<()> {
        let ann = self.server.person(0)?;
        let private = self.secrets[0].words.channel.clone();
        self.secrets[0].words.ts = furnish(&ann, &private, names).await?;
        let words = self.secrets[0].words.clone();
        self.secrets[0].words = words.with_file(&attach(&ann, &private, &names[3]).await?);
        let member = self.server.seed.members[0].id.clone();
        let direct = ann.ok("conversations.open", &[("users", &member)]).await?;
        let direct = direct["channel"]["id"].as_str().context("DM")?.to_owned();
        let ts = ann.post(&direct, said).await?;
        let file = attach(&ann, &direct, said).await?;
        let words = self.words(direct, ts)?.with_file(&file);
        self.secrets.push(Secret { what: "a DM", words, is_foreign: false });
        let made = theirs.ok("conversations.create", &[("name", &far[0]), ("is_private", "true")]).await?;
        let channel = made["channel"]["id"].as_str().context("channel")?.to_owned();
        let ts = furnish(theirs, &channel, far).await?;
        let file = attach(theirs, &channel, &far[3]).await?;
        let words = self.words(channel, ts)?.with_file(&file);
        self.secrets.push(Secret { what: "another workspace's channel", words, is_foreign: true });
        Ok(())
    }

    fn meet(&mut self, theirs: &Api, owner: &str) -> Result<()> {
        // The other workspace's owner too; the log names whoever called.
        let mut all = self.every_canary();
        all.0.extend([owner.to_owned(), "stranger@elsewhere.example".to_owned()]);
        for (who, api) in [
            ("a stranger", self.server.person(2)?),
            ("a removed member", self.server.person(1)?),
            ("a bot that is not in it", self.server.bot()),
            ("another workspace", theirs.clone()),
        ] {
            let is_foreign = who == "another workspace";
            let is_bot = who == "a bot that is not in it";
            // The second person of a seeded workspace is one, and whoever owns the other.
            let is_admin = is_foreign || who == "a removed member";
            let unseen = if is_foreign { self.here.clone() } else { all.clone() };
            self.callers.push(Caller { who, api, is_foreign, is_bot, is_admin, unseen });
        }
        Ok(())
    }

    fn words(&self, channel: String, ts: String) -> Result<Words> {
        let seeded = &self.server.seed;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        Ok(Words {
            channel,
            ts,
            user: seeded.people[0].id.clone(),
            bot: seeded.bot.bot_id.clone(),
            email: seeded.people[0].email.clone(),
            later: (now + 3_600).to_string(),
            name: "another-name".to_owned(),
            file: String::new(),
            files: String::new(),
        })
    }

    /// A private channel of somebody's own for one method, with a member and a message.
    pub(super) async fn place(&self, api: &Api, method: &str) -> Result<Words> {
        let name = format!("place-{}", method.to_lowercase().replace('.', "-"));
        let made = api.ok("conversations.create", &[("name", &name), ("is_private", "true")]).await?;
        let channel = made["channel"]["id"].as_str().context("channel")?.to_owned();
        let member = self.server.seed.members[0].id.clone();
        api.ok("conversations.invite", &[("channel", &channel), ("users", &member)]).await?;
        let ts = api.post(&channel, "hello").await?;
        let file = attach(api, &channel, "a").await?;
        Ok(Words { user: member, ..self.words(channel, ts)?.with_file(&file) })
    }

    /// Both workspaces' secrets.
    pub(super) fn every_canary(&self) -> Canaries {
        Canaries([self.here.0.clone(), self.elsewhere.0.clone()].concat())
    }

    /// Reads all that the sockets were sent. Those of a revoked token end.
    pub(super) async fn heard_nothing(&mut self) -> Result<()> {
        for (who, socket, unseen) in &mut self.sockets {
            if *who == "a revoked token" {
                while let Frame::Json(frame) = socket.next(FRAME_WITHIN).await? {
                    unseen.check(who, &frame.to_string());
                }
                continue;
            }
            for frame in socket.drain(1).await? {
                unseen.check(who, &frame.to_string());
            }
        }
        Ok(())
    }
}

/// Sockets of both protocols.
async fn both(api: &Api) -> Result<[Socket; 2]> {
    let mut realtime = Socket::realtime(api).await?;
    let positions = boot_positions(api).await?;
    realtime.resume(&positions).await?;
    realtime.all_live(&positions).await?;
    Ok([realtime, Socket::rtm(api).await?])
}

/// Gives a channel a topic, a purpose, a message with a reply, a reaction and a pin; the message's `ts`.
async fn furnish(api: &Api, channel: &str, words: &[String; 5]) -> Result<String> {
    let [_, topic, purpose, text, reply] = words;
    let ts = api.post(channel, text).await?;
    api.ok("chat.postMessage", &[("channel", channel), ("thread_ts", &ts), ("text", reply)]).await?;
    api.ok("conversations.setTopic", &[("channel", channel), ("topic", topic)]).await?;
    api.ok("conversations.setPurpose", &[("channel", channel), ("purpose", purpose)]).await?;
    api.ok("reactions.add", &[("channel", channel), ("timestamp", &ts), ("name", "wave")]).await?;
    api.ok("pins.add", &[("channel", channel), ("timestamp", &ts)]).await?;
    Ok(ts)
}

/// Uploads a file whose name and content are a canary.
async fn attach(api: &Api, channel: &str, canary: &str) -> Result<String> {
    let name = format!("{canary}.txt");
    Ok(upload(api, &name, canary.as_bytes(), &[("channel_id", channel)]).await?.id)
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

/// Marks a person as deactivated, which nothing in the server does yet.
fn deactivate(data: &std::path::Path, user: UserId) -> Result<()> {
    let database = rusqlite::Connection::open(data.join("parlance.db"))?;
    let id = user.raw().cast_signed();
    let changed = database.execute("UPDATE users SET deleted = 1 WHERE usr = ?1", [id])?;
    anyhow::ensure!(changed == 1, "{changed} people are {user}");
    Ok(())
}
