//! `parlance seed`: a demo workspace, made once. What it printed stands in a file that only its owner can
//! read and that the server never reads.

use std::{
    collections::BTreeMap,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use model::{
    AppId, Bot, BotId, ChannelId, ChannelName, Credential, Draft, MessageText, Micros, Role, Ts, UserId,
    WorkspaceId,
};
use serde::{Deserialize, Serialize};
use store::{By, Done, Log, NewCredential, NewPerson, SecretHash, Write, WriteKind};

use crate::{
    config::Config,
    seed_story::{self, Line},
    stores,
};

/// Name of the file in the data directory.
const FILE: &str = "seed.json";
/// Members that are added in one transaction.
const MEMBERS_PER_BATCH: usize = 250;
/// What `parlance seed --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The workspace.
    pub workspace: SeedWorkspace,
    /// Three people.
    pub people: Vec<SeedPerson>,
    /// A bot with every scope.
    pub bot: SeedBot,
    /// Its app.
    pub app: SeedApp,
    /// Channel name → id; the DM is `dm`.
    pub channels: BTreeMap<String, String>,
    /// Extra members of `general`.
    pub members: Vec<SeedMember>,
}

/// The workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedWorkspace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its domain.
    pub domain: String,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedPerson {
    /// Their id.
    pub id: String,
    /// Full name.
    pub name: String,
    /// For signing in.
    pub email: String,
    /// For signing in.
    pub password: String,
    /// A user token.
    pub token: String,
}

/// The bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedBot {
    /// Its user.
    pub user_id: String,
    /// Itself.
    pub bot_id: String,
    /// A bot token.
    pub token: String,
}

/// The bot's app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedApp {
    /// Its id.
    pub id: String,
    /// An app-level token.
    pub token: String,
}

/// An extra member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedMember {
    /// Their id.
    pub id: String,
    /// A user token.
    pub token: String,
}

impl Document {
    /// The sign-ins, for reading.
    #[must_use]
    pub fn for_people(&self) -> String {
        let mut lines = vec![format!("Workspace {} ({})", self.workspace.name, self.workspace.id)];
        for person in &self.people {
            lines.push(format!("  {:<12} {:<26} {}", person.name, person.email, person.password));
        }
        lines.push(format!("  bot token    {}", self.bot.token));
        lines.join("\n")
    }
}

/// Makes the demo workspace, or reads what was made before.
///
/// # Errors
/// A sentence for the operator.
pub async fn seed(config: &Config, members: u32) -> anyhow::Result<Document> {
    let data = Path::new(&config.data);
    let file = data.join(FILE);
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let document: Document =
                serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
            if document.members.len() != usize::try_from(members)? && members > 0 {
                bail!(
                    "{} was seeded with --members {}; use another --data for {members}",
                    data.display(),
                    document.members.len()
                );
            }
            return Ok(document);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    }
    let opened = stores::open(config).await?;
    if !opened.store.workspaces().await?.is_empty() {
        bail!("the store of {} holds a workspace that `parlance seed` did not make", data.display());
    }
    // The first workspace goes to the first shard.
    let (log, _held) = opened.into_log(0)?;
    let document = Seeder::new(log)?.run(members).await?;
    save(&file, &document)?;
    Ok(document)
}

fn save(file: &Path, document: &Document) -> anyhow::Result<()> {
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let mut options = std::fs::File::options();
    let mut target = options.create(true).truncate(true).write(true).mode(0o600).open(partial)?;
    // An older partial file may have other rights.
    target.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    target.write_all(serde_json::to_string_pretty(document)?.as_bytes())?;
    target.sync_all()?;
    std::fs::rename(partial, file).with_context(|| file.display().to_string())
}

fn random() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|error| anyhow::anyhow!("the system has no randomness: {error}"))
}

/// Four groups of four letters and digits that are not mistaken for each other: 78 bits.
pub(crate) fn random_password() -> anyhow::Result<String> {
    const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut groups = Vec::new();
    for _ in 0..4 {
        let mut group = String::new();
        while group.len() < 4 {
            let byte = usize::try_from(random()? & 31)?;
            // 31 letters: a draw of the 32nd is repeated, so that all are equally likely.
            group.extend(ALPHABET.get(byte).map(|&byte| char::from(byte)));
        }
        groups.push(group);
    }
    Ok(groups.join("-"))
}

struct Seeder {
    log: Box<dyn Log>,
    workspace: WorkspaceId,
    /// Time of the next write: the story happened over the last days.
    now: Micros,
    end: Micros,
}

impl Seeder {
    fn new(log: Box<dyn Log>) -> anyhow::Result<Self> {
        let end = runtime::Clock::system().now_us();
        Ok(Self { log, workspace: WorkspaceId::from_random(random()?), now: end - seed_story::SPAN_US, end })
    }

    async fn batch(&mut self, kinds: Vec<WriteKind>) -> anyhow::Result<Vec<Done>> {
        let writes = kinds.into_iter().map(|kind| Write { workspace: self.workspace, kind }).collect();
        let outcomes = self.log.commit(writes, self.now).await?;
        self.log.maintain().await?;
        outcomes.into_iter().map(|outcome| outcome.result.context("seed")).collect()
    }

    async fn write(&mut self, kind: WriteKind) -> anyhow::Result<Done> {
        self.batch(vec![kind]).await?.pop().context("no outcome")
    }

    async fn run(mut self, members: u32) -> anyhow::Result<Document> {
        let (general, random_channel) =
            (ChannelId::from_random(random()?), ChannelId::from_random(random()?));
        let mut people = Vec::new();
        let mut roles = [Role::PrimaryOwner, Role::Admin, Role::Member].into_iter();
        for (name, handle) in seed_story::PEOPLE {
            let password = random_password()?;
            let person = NewPerson {
                id: UserId::from_random(random()?),
                name: handle.to_owned(),
                real_name: name.to_owned(),
                email: format!("{handle}@{}.example", seed_story::DOMAIN),
                password_hash: Some(api::passwords::hash(&password)?),
                role: roles.next().unwrap_or(Role::Member),
                tz: "Europe/Berlin".to_owned(),
                quiet: true,
            };
            people.push((person, password));
        }
        let mut newcomers = people.iter().map(|(person, _)| person.clone());
        let owner = Box::new(newcomers.next().context("no owner")?);
        let mut kinds = vec![WriteKind::CreateWorkspace {
            name: seed_story::WORKSPACE.to_owned(),
            domain: seed_story::DOMAIN.to_owned(),
            general,
            random: random_channel,
            owner,
            only_first: true,
        }];
        kinds.extend(newcomers.map(|person| WriteKind::AddPerson(Box::new(person))));
        self.batch(kinds).await?;
        let ids: Vec<UserId> = people.iter().map(|(person, _)| person.id).collect();
        let (bot, app) = self.add_bot().await?;
        let channels = self.channels(general, random_channel, &ids, &bot).await?;
        self.tell(&channels, &ids, &bot).await?;

        let mut seeded = Vec::new();
        for (person, password) in people {
            let token = self.token(Credential::User, Some(person.id), None).await?;
            seeded.push(SeedPerson {
                id: person.id.to_string(),
                name: person.real_name,
                email: person.email,
                password,
                token,
            });
        }
        let members = self.members(members).await?;
        let (domain, name) = (seed_story::DOMAIN.to_owned(), seed_story::WORKSPACE.to_owned());
        Ok(Document {
            workspace: SeedWorkspace { id: self.workspace.to_string(), name, domain },
            people: seeded,
            bot: bot.seeded,
            app,
            channels: channels.into_iter().map(|(name, id)| (name.to_owned(), id.to_string())).collect(),
            members,
        })
    }

    async fn add_bot(&mut self) -> anyhow::Result<(DemoBot, SeedApp)> {
        let (user, bot, app) =
            (UserId::from_random(random()?), BotId::from_random(random()?), AppId::from_random(random()?));
        self.write(WriteKind::AddBot { user, bot, app, name: seed_story::BOT.to_owned() }).await?;
        let token = self.token(Credential::Bot, Some(user), Some((bot, app))).await?;
        let app_token = self.token(Credential::App, None, Some((bot, app))).await?;
        let seeded = SeedBot { user_id: user.to_string(), bot_id: bot.to_string(), token };
        let look = Bot { id: bot, app, username: None, icon_emoji: None, icon_url: None, profile: None };
        Ok((DemoBot { user, look, seeded }, SeedApp { id: app.to_string(), token: app_token }))
    }

    async fn token(
        &mut self,
        kind: Credential,
        user: Option<UserId>,
        bot: Option<(BotId, AppId)>,
    ) -> anyhow::Result<String> {
        let app = bot.map(|(_, app)| app);
        let token = api::tokens::generate(kind, self.workspace, app)?;
        // All that this server knows, but for app-level tokens.
        let scopes = match kind {
            Credential::App => "connections:write".to_owned(),
            kind => api::methods::every_scope(kind),
        };
        let of_bot = bot.map(|(bot, _)| bot).filter(|_| kind == Credential::Bot);
        let secret = SecretHash::of(&token);
        let credential = NewCredential { secret, kind, user, bot: of_bot, app, scopes, expires: None };
        self.write(WriteKind::AddCredential(credential)).await?;
        Ok(token)
    }

    async fn channels(
        &mut self,
        general: ChannelId,
        random_channel: ChannelId,
        ids: &[UserId],
        bot: &DemoBot,
    ) -> anyhow::Result<BTreeMap<&'static str, ChannelId>> {
        let (owner, others) = ids.split_first().context("nobody")?;
        let by = By { user: *owner, role: Role::PrimaryOwner };
        let mut channels = BTreeMap::from([("general", general), ("random", random_channel)]);
        for (name, private) in [(seed_story::PROJECT, false), (seed_story::PRIVATE, true)] {
            let id = ChannelId::from_random(random()?);
            self.write(WriteKind::CreateChannel { id, name: ChannelName::parse(name)?, private, by }).await?;
            self.write(WriteKind::Invite { channel: id, by, users: others.to_vec(), force: false }).await?;
            channels.insert(name, id);
        }
        let dm = ChannelId::direct_from_random(random()?);
        let others = others.iter().take(1).copied().collect();
        self.write(WriteKind::OpenDirect { id: dm, by, others, only_existing: false }).await?;
        channels.insert("dm", dm);
        for (name, topic) in seed_story::TOPICS {
            let channel = *channels.get(name).context("no channel")?;
            self.write(WriteKind::SetTopic { channel, by, value: topic.to_owned() }).await?;
        }
        let as_bot = By { user: bot.user, role: Role::Member };
        for name in ["general", "random", seed_story::PROJECT] {
            let channel = *channels.get(name).context("no channel")?;
            self.write(WriteKind::Join { channel, by: as_bot }).await?;
        }
        Ok(channels)
    }

    /// Lets the story happen, up to some minutes ago.
    async fn tell(
        &mut self,
        channels: &BTreeMap<&'static str, ChannelId>,
        ids: &[UserId],
        bot: &DemoBot,
    ) -> anyhow::Result<()> {
        let step = (self.end - self.now) / i64::try_from(seed_story::STORY.len() + 1)?;
        let mut parents: Vec<(ChannelId, Ts)> = Vec::new();
        for line in seed_story::STORY {
            self.now += step;
            match *line {
                Line::Say { channel, who, text, reactions } => {
                    let channel = *channels.get(channel).context("no channel")?;
                    let ts = self.say(channel, who, text, None, ids, bot).await?;
                    parents.push((channel, ts));
                    self.react(channel, ts, reactions, ids).await?;
                }
                Line::Reply { who, text, reactions } => {
                    let &(channel, parent) = parents.last().context("a reply to nothing")?;
                    let ts = self.say(channel, who, text, Some(parent), ids, bot).await?;
                    self.react(channel, ts, reactions, ids).await?;
                }
            }
        }
        self.now = self.end;
        Ok(())
    }

    async fn say(
        &mut self,
        channel: ChannelId,
        who: usize,
        text: &str,
        thread: Option<Ts>,
        ids: &[UserId],
        bot: &DemoBot,
    ) -> anyhow::Result<Ts> {
        let person = ids.get(who).copied();
        let mut text = text.to_owned();
        let mut mentions = Vec::new();
        for (number, id) in ids.iter().enumerate() {
            let place = format!("{{{number}}}");
            if text.contains(&place) {
                text = text.replace(&place, &format!("<@{id}>"));
                mentions.push(*id);
            }
        }
        let draft = Draft {
            channel,
            author: person.unwrap_or(bot.user),
            bot: if person.is_none() { Some(bot.look.clone()) } else { None },
            subtype: None,
            text: MessageText::new(text)?,
            blocks: None,
            attachments: None,
            metadata: None,
            client_msg_id: None,
            thread,
            broadcast: false,
            mentions,
            mentions_everyone: false,
        };
        match self.write(WriteKind::Post { draft: Box::new(draft), public_without_membership: false }).await?
        {
            Done::Posted { message, .. } => Ok(message.ts),
            other => bail!("{other:?}"),
        }
    }

    async fn react(
        &mut self,
        channel: ChannelId,
        ts: Ts,
        reactions: &[(usize, &str)],
        ids: &[UserId],
    ) -> anyhow::Result<()> {
        for &(who, name) in reactions {
            let by = By { user: *ids.get(who).context("nobody reacts")?, role: Role::Member };
            self.write(WriteKind::React { channel, ts, by, name: name.to_owned() }).await?;
        }
        Ok(())
    }

    /// Adds the extra members of `general`.
    async fn members(&mut self, count: u32) -> anyhow::Result<Vec<SeedMember>> {
        let mut members = Vec::new();
        let numbers: Vec<u32> = (1..=count).collect();
        for chunk in numbers.chunks(MEMBERS_PER_BATCH) {
            let mut kinds = Vec::new();
            for number in chunk {
                let id = UserId::from_random(random()?);
                let handle = format!("member-{number:05}");
                kinds.push(WriteKind::AddPerson(Box::new(NewPerson {
                    id,
                    real_name: format!("Member {number}"),
                    email: format!("{handle}@{}.example", seed_story::DOMAIN),
                    name: handle,
                    password_hash: None,
                    role: Role::Member,
                    tz: "UTC".to_owned(),
                    quiet: true,
                })));
                let token = api::tokens::generate(Credential::User, self.workspace, None)?;
                kinds.push(WriteKind::AddCredential(NewCredential {
                    secret: SecretHash::of(&token),
                    kind: Credential::User,
                    user: Some(id),
                    bot: None,
                    app: None,
                    scopes: api::methods::every_scope(Credential::User),
                    expires: None,
                }));
                members.push(SeedMember { id: id.to_string(), token });
            }
            self.batch(kinds).await?;
            if usize::try_from(count)? > MEMBERS_PER_BATCH {
                crate::cli::say_error(&format!("{} of {count} members", members.len()));
            }
        }
        Ok(members)
    }
}

struct DemoBot {
    user: UserId,
    look: Bot,
    seeded: SeedBot,
}
