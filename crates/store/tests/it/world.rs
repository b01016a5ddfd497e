//! A small workspace to test with.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use model::{
    ChannelId, ChannelName, ClientMsgId, Draft, Event, Message, MessageText, Micros, Position, Role, Topic,
    TopicId, Ts, UserId, WorkspaceId,
};
use store::{
    By, CommitError, Done, EventsRead, Log, NewPerson, Outcome, Range, Refusal, Store, Write, WriteKind,
};
use tempfile::TempDir;

pub(crate) const WS: WorkspaceId = WorkspaceId::from_raw(1);
pub(crate) const GENERAL: ChannelId = ChannelId::from_raw(11);
pub(crate) const RANDOM: ChannelId = ChannelId::from_raw(12);
pub(crate) const SECRET: ChannelId = ChannelId::from_raw(13);
pub(crate) const ANN: UserId = UserId::from_raw(21);
pub(crate) const BO: UserId = UserId::from_raw(22);
pub(crate) const CY: UserId = UserId::from_raw(23);
pub(crate) const START: Micros = 1_700_000_000_000_000;

pub(crate) struct World {
    pub(crate) log: Box<dyn Log>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) place: Place,
    pub(crate) now: Micros,
}

/// Where the rows are.
pub(crate) enum Place {
    /// A directory with a SQLite file.
    Directory(TempDir),
    /// A PostgreSQL address whose schema is this test's own.
    Address(String),
}

impl Place {
    /// PostgreSQL when `PARLANCE_TEST_STORE` names one, else a new directory. Each test has a schema of its own;
    /// through PgBouncer, which cannot pass on the search path, a database
    /// (`PARLANCE_TEST_STORE_ISOLATION=database`).
    pub(crate) async fn new() -> Self {
        let Ok(url) = std::env::var("PARLANCE_TEST_STORE") else {
            return Self::Directory(tempfile::tempdir().unwrap());
        };
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        if std::env::var("PARLANCE_TEST_STORE_ISOLATION").is_ok_and(|value| value == "database") {
            client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
            let (server, _) = url.rsplit_once('/').unwrap();
            return Self::Address(format!("{server}/{name}"));
        }
        client.batch_execute(&format!("CREATE SCHEMA {name}")).await.unwrap();
        let mark = if url.contains('?') { '&' } else { '?' };
        Self::Address(format!("{url}{mark}options=-c%20search_path%3D{name}"))
    }

    pub(crate) async fn open(&self) -> (Box<dyn Log>, Arc<dyn Store>) {
        match self {
            Self::Directory(dir) => {
                let (log, store) = store::sqlite::open(dir.path()).unwrap();
                (Box::new(log), Arc::new(store))
            }
            Self::Address(url) => {
                let (log, store) = store::postgres::open(url, 2).await.unwrap();
                (Box::new(log), Arc::new(store))
            }
        }
    }
}

pub(crate) fn by(user: UserId) -> By {
    By { user, role: if user == ANN { Role::PrimaryOwner } else { Role::Member } }
}

pub(crate) fn person(id: UserId, name: &str, role: Role) -> NewPerson {
    NewPerson {
        id,
        name: name.to_owned(),
        real_name: name.to_owned(),
        email: format!("{name}@example.org"),
        password_hash: None,
        role,
        tz: "UTC".to_owned(),
        quiet: false,
    }
}

pub(crate) fn text(text: &str) -> MessageText {
    MessageText::new(text.to_owned()).unwrap()
}

pub(crate) fn draft(channel: ChannelId, author: UserId, body: &str) -> Draft {
    Draft {
        channel,
        author,
        bot: None,
        subtype: None,
        text: text(body),
        blocks: None,
        attachments: None,
        metadata: None,
        client_msg_id: None,
        thread: None,
        broadcast: false,
        mentions: Vec::new(),
        mentions_everyone: false,
    }
}

pub(crate) fn key(number: u128) -> ClientMsgId {
    let hex = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]).parse().unwrap()
}

pub(crate) fn post(draft: Draft) -> WriteKind {
    WriteKind::Post { draft: Box::new(draft), public_without_membership: false }
}

pub(crate) fn edit(channel: ChannelId, ts: Ts, user: UserId, body: &str) -> WriteKind {
    WriteKind::Edit {
        channel,
        ts,
        by: by(user),
        text: Some(text(body)),
        blocks: None,
        attachments: None,
        metadata: None,
        broadcast: None,
        mentions: Vec::new(),
        mentions_everyone: false,
    }
}

pub(crate) fn all() -> Range {
    Range { oldest: Ts::ZERO, latest: Ts::MAX, inclusive: false, limit: 1_000, from_oldest: false }
}

impl World {
    /// Ann (owner), Bo and Cy in general and random; Ann and Bo in a private channel.
    pub(crate) async fn new() -> Self {
        Self::at(Place::new().await).await
    }

    /// As [`World::new`], always on the embedded engine.
    pub(crate) async fn embedded() -> Self {
        Self::at(Place::Directory(tempfile::tempdir().unwrap())).await
    }

    async fn at(place: Place) -> Self {
        let (log, store) = place.open().await;
        let mut world = Self { log, store, place, now: START };
        let owner = Box::new(person(ANN, "ann", Role::PrimaryOwner));
        let setup = WriteKind::CreateWorkspace {
            name: "Test".to_owned(),
            domain: "test".to_owned(),
            general: GENERAL,
            random: RANDOM,
            owner,
            only_first: true,
        };
        world.ok(setup).await;
        world.ok(WriteKind::AddPerson(Box::new(person(BO, "bo", Role::Member)))).await;
        world.ok(WriteKind::AddPerson(Box::new(person(CY, "cy", Role::Member)))).await;
        let name = ChannelName::parse("secret").unwrap();
        world.ok(WriteKind::CreateChannel { id: SECRET, name, private: true, by: by(ANN) }).await;
        world.ok(WriteKind::Invite { channel: SECRET, by: by(ANN), users: vec![BO], force: false }).await;
        world
    }

    /// Closes the store and opens the same rows again.
    pub(crate) async fn reopen(self) -> Self {
        let Self { log, store, place, now } = self;
        drop((log, store));
        let (log, store) = place.open().await;
        Self { log, store, place, now }
    }

    /// The directory of an embedded store.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Directory(dir) => Some(dir.path()),
            Place::Address(_) => None,
        }
    }

    pub(crate) async fn batch(&mut self, kinds: Vec<WriteKind>) -> Result<Vec<Outcome>, CommitError> {
        self.now += 1_000;
        let writes = kinds.into_iter().map(|kind| Write { workspace: WS, kind }).collect();
        self.log.commit(writes, self.now).await
    }

    pub(crate) async fn run(&mut self, kind: WriteKind) -> Outcome {
        self.batch(vec![kind]).await.unwrap().pop().unwrap()
    }

    pub(crate) async fn ok(&mut self, kind: WriteKind) -> Done {
        self.run(kind).await.result.unwrap()
    }

    pub(crate) async fn refused(&mut self, kind: WriteKind) -> Refusal {
        let outcome = self.run(kind).await;
        assert!(outcome.events.is_empty(), "a refusal made events");
        outcome.result.unwrap_err()
    }

    pub(crate) async fn posted(&mut self, draft: Draft) -> Message {
        match self.ok(post(draft)).await {
            Done::Posted { message, .. } => *message,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn say(&mut self, channel: ChannelId, author: UserId, body: &str) -> Message {
        self.posted(draft(channel, author, body)).await
    }

    pub(crate) async fn history(&self, channel: ChannelId) -> Vec<Message> {
        self.store.history(WS, channel, all()).await.unwrap().messages
    }

    /// What people said, newest first, without notices.
    pub(crate) async fn said(&self, channel: ChannelId) -> Vec<String> {
        let plain = |message: &Message| message.subtype.is_none();
        let history = self.history(channel).await;
        history.into_iter().filter(plain).map(|message| message.text.into_string()).collect()
    }

    pub(crate) async fn head(&self, id: TopicId) -> Position {
        let heads = self.store.heads(&[Topic { workspace: WS, id }]).await.unwrap();
        let [model::HeadRead::At(head)] = heads[..] else { panic!("{heads:?}") };
        head
    }

    pub(crate) async fn log_of(&self, id: TopicId) -> Vec<Event> {
        match self.store.events(Topic { workspace: WS, id }, Position::START, 1_000).await.unwrap() {
            EventsRead::Events { events, .. } => events,
            other => panic!("{other:?}"),
        }
    }
}
