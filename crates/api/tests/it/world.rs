//! A role `web` with a store of its own, a workspace, and people.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use api::{
    app::App,
    appender::{Appender, Batcher, WriteContext},
    publish::Journeys,
    role::{Config, Deps, RateLimits},
    router::router,
    tokens,
};
use async_trait::async_trait;
use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use model::{
    AppId, BotId, ChannelId, Credential, CredentialId, Epoch, Head, NodeId, Role, Seq, Topic, UserId,
    WorkspaceId,
};
use pictures::{Crop, Made, PictureError};
use rpc::{
    Admin, Call, CallError, EventRecord, Journey, Person as Somebody, Presence, PresenceNow, PresenceReport,
    Reply, Revoked, Signal, Watch,
};
use runtime::{Clock, Tasks, telemetry::Metrics};
use serde_json::{Value, json};
use store::{Done, NewCredential, NewPerson, SecretHash, Store, Write, WriteKind};
use tokio::sync::mpsc;
use tower::ServiceExt;

// The harness starts the binary that this crate is a part of, so that this crate's tests share its file, not the crate.
#[allow(unreachable_pub)]
#[path = "../../../harness/src/record.rs"]
mod record;

/// 2026-01-01, microseconds.
pub(crate) const START_US: i64 = 1_767_225_600_000_000;

/// Answers what a test says of people, remembers who was touched.
#[derive(Default)]
pub(crate) struct Presences {
    pub(crate) now: Mutex<HashMap<Somebody, PresenceNow>>,
    pub(crate) touched: Mutex<Vec<Somebody>>,
    pub(crate) down: Mutex<bool>,
}

impl Presences {
    /// What everybody gets whose owner cannot be reached.
    fn refusal(&self) -> Option<Reply> {
        self.down.lock().unwrap().then_some(Reply::NotOwner { epoch: Epoch(1) })
    }
}

#[async_trait]
impl Presence for Presences {
    async fn report(&self, _: &Call, _: NodeId, _: Vec<PresenceReport>) -> Result<Vec<Reply>, CallError> {
        panic!("the API reports nobody")
    }
    async fn watch(&self, _: &Call, _: NodeId, _: Vec<Watch>) -> Result<Vec<Reply>, CallError> {
        panic!("the API watches nobody")
    }
    async fn unwatch(&self, _: &Call, _: NodeId, _: Vec<Somebody>) -> Result<Vec<Reply>, CallError> {
        panic!("the API watches nobody")
    }
    async fn query(
        &self,
        _: &Call,
        people: Vec<Somebody>,
    ) -> Result<Vec<Result<PresenceNow, Reply>>, CallError> {
        let now = self.now.lock().unwrap();
        let answer = |who| self.refusal().map_or(Ok(now.get(who).copied().unwrap_or_default()), Err);
        Ok(people.iter().map(answer).collect())
    }
    async fn touch(&self, _: &Call, people: Vec<Somebody>) -> Result<Vec<Reply>, CallError> {
        let reply = self.refusal().unwrap_or(Reply::Ok);
        let replies = vec![reply; people.len()];
        self.touched.lock().unwrap().extend(people);
        Ok(replies)
    }
}

/// Takes everything, remembers signals and revocations.
#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) signals: Mutex<Vec<Signal>>,
    pub(crate) revoked: Mutex<Vec<CredentialId>>,
}

#[async_trait]
impl Admin for Calls {
    async fn publish(&self, _: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; events.len()])
    }
    async fn announce(&self, _: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; heads.len()])
    }
    async fn signal(&self, _: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        let replies = vec![Reply::Ok; signals.len()];
        self.signals.lock().unwrap().extend(signals);
        Ok(replies)
    }
    async fn revoke(&self, _: &Call, credentials: Vec<CredentialId>) -> Result<Revoked, CallError> {
        self.revoked.lock().unwrap().extend(credentials);
        Ok(Revoked::default())
    }
    async fn journey(&self, _: &Call, _: Topic, _: Seq) -> Result<Journey, CallError> {
        Ok(Journey::default())
    }
}

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) app: Arc<App>,
    pub(crate) appender: Appender,
    pub(crate) admin: Arc<Calls>,
    pub(crate) presences: Arc<Presences>,
    pub(crate) clock: Clock,
    pub(crate) committed: mpsc::Receiver<api::publish::Committed>,
    pub(crate) team: WorkspaceId,
    pub(crate) general: ChannelId,
    pub(crate) random: ChannelId,
    /// Owner, member, another member; all in `general` and `random`.
    pub(crate) ada: Person,
    pub(crate) bob: Person,
    pub(crate) eve: Person,
    pub(crate) bot: Person,
    pub(crate) app_id: AppId,
    pub(crate) app_token: String,
    pub(crate) folder: tempfile::TempDir,
}

/// Somebody with a token that may do everything.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) token: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config { rate_limits: RateLimits::Off, ..config() }).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let mut world = Self::empty(config).await;
        world.populate().await;
        world
    }

    /// A role over a store without a workspace.
    pub(crate) async fn empty(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (log, store) = store::sqlite::open(folder.path()).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let clock = Clock::manual(START_US);
        let (appender, items) = Appender::new();
        let (hand_on, committed) = mpsc::channel(4_096);
        let batcher = Batcher::new(Box::new(log), clock.clone(), hand_on).reached_at(&config.public_url);
        tokio::spawn(async move { batcher.run(items).await.unwrap() });
        let admin = Arc::new(Calls::default());
        let presences = Arc::new(Presences::default());
        let deps = Deps {
            node: NodeId { name: "web-1".to_owned(), incarnation: 1 },
            store,
            appender: appender.clone(),
            admin: Arc::clone(&admin) as Arc<dyn Admin>,
            presence: Arc::clone(&presences) as Arc<dyn Presence>,
            adopt: None,
            journeys: Journeys::default(),
            jobs: Arc::default(),
            blobs: Arc::new(api::blobs::Blobs::open(&folder.path().join("files")).unwrap()),
            photos: Arc::new(Photos),
            clock: clock.clone(),
            metrics: Metrics::default(),
        };
        let app = App::new(config, deps, Tasks::new());
        let nobody = Person { id: UserId::from_random(0), token: String::new() };
        Self {
            router: router(Arc::clone(&app)),
            app,
            appender,
            admin,
            presences,
            clock,
            committed,
            team: WorkspaceId::from_random(0x7ea3),
            general: ChannelId::from_random(0x6e),
            random: ChannelId::from_random(0x4a),
            ada: nobody.clone(),
            bob: nobody.clone(),
            eve: nobody.clone(),
            bot: nobody,
            app_id: AppId::from_random(0xa44),
            app_token: String::new(),
            folder,
        }
    }

    async fn populate(&mut self) {
        let (general, random) = (self.general, self.random);
        let owner = person(0xada, "ada", Role::PrimaryOwner);
        self.write(WriteKind::CreateWorkspace {
            name: "Engines".to_owned(),
            domain: "engines".to_owned(),
            general,
            random,
            owner: Box::new(owner),
            only_first: true,
        })
        .await;
        self.write(WriteKind::AddPerson(Box::new(person(0xb0b, "bob", Role::Member)))).await;
        self.write(WriteKind::AddPerson(Box::new(person(0xe4e, "eve", Role::Member)))).await;
        let (user, bot) = (UserId::from_random(0xb07), BotId::from_random(0xb07));
        let app = self.app_id;
        self.write(WriteKind::AddBot { user, bot, app, name: "helper".to_owned() }).await;
        for (id, slot) in [(0xada, 0), (0xb0b, 1), (0xe4e, 2)] {
            let id = UserId::from_random(id);
            let scopes = api::methods::every_scope(Credential::User);
            let token = self.token(Credential::User, Some(id), &scopes).await;
            let made = Person { id, token };
            match slot {
                0 => self.ada = made,
                1 => self.bob = made,
                _ => self.eve = made,
            }
        }
        let scopes = api::methods::every_scope(Credential::Bot);
        self.bot = Person { id: user, token: self.token(Credential::Bot, Some(user), &scopes).await };
        self.app_token = self.token(Credential::App, None, "connections:write").await;
    }

    /// Makes a token.
    pub(crate) async fn token(&self, kind: Credential, user: Option<UserId>, scopes: &str) -> String {
        let token = tokens::generate(kind, self.team, Some(self.app_id)).unwrap();
        let is_bot = kind == Credential::Bot;
        self.write(WriteKind::AddCredential(NewCredential {
            secret: SecretHash::of(&token),
            kind,
            user,
            bot: is_bot.then(|| BotId::from_random(0xb07)),
            app: (is_bot || kind == Credential::App).then_some(self.app_id),
            scopes: scopes.to_owned(),
            expires: None,
        }))
        .await;
        token
    }

    pub(crate) async fn write(&self, kind: WriteKind) -> Done {
        self.appender.write(Write { workspace: self.team, kind }, WriteContext::default()).await.unwrap()
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, bytes: bytes.to_vec() }
    }

    /// Calls a method with a JSON body and a bearer token.
    pub(crate) async fn try_call(&self, who: &Person, method: &str, args: Value) -> Value {
        let request = Request::post(format!("/api/{method}"))
            .header("authorization", format!("Bearer {}", who.token))
            .header("content-type", "application/json; charset=utf-8")
            .body(Body::from(args.to_string()))
            .unwrap();
        let answer = self.send(request).await;
        assert!(answer.status == StatusCode::OK || answer.status == StatusCode::TOO_MANY_REQUESTS);
        record::record("response", method, &answer.json());
        answer.json()
    }

    /// Calls a method that must succeed.
    pub(crate) async fn call(&self, who: &Person, method: &str, args: Value) -> Value {
        let answer = self.try_call(who, method, args.clone()).await;
        assert_eq!(answer["ok"], json!(true), "{method} {args}: {answer}");
        answer
    }

    /// Calls a method that must fail; the error.
    pub(crate) async fn refused(&self, who: &Person, method: &str, args: Value) -> String {
        let answer = self.try_call(who, method, args.clone()).await;
        assert_eq!(answer["ok"], json!(false), "{method} {args}: {answer}");
        answer["error"].as_str().unwrap().to_owned()
    }

    /// Posts to a channel; the ts.
    pub(crate) async fn post(&self, who: &Person, channel: &str, text: &str) -> String {
        let answer = self.call(who, "chat.postMessage", json!({ "channel": channel, "text": text })).await;
        answer["ts"].as_str().unwrap().to_owned()
    }

    /// Runs jobs, as the server does, until it is stopped.
    pub(crate) fn jobs(&self) -> RunningJobs {
        let deps = jobs::Deps {
            store: Arc::clone(&self.app.deps.store),
            writer: Arc::new(Writer(self.appender.clone())),
            files: Arc::new(Bytes(Arc::clone(&self.app.deps.blobs))),
            queued: Arc::clone(&self.app.deps.jobs),
            clock: self.clock.clone(),
            metrics: jobs::metrics::JobsMetrics::default(),
        };
        let look_every = std::time::Duration::from_millis(10);
        let config = jobs::Config { look_every, ..jobs::Config::default() };
        let stop = tokio_util::sync::CancellationToken::new();
        RunningJobs { task: tokio::spawn(jobs::run(config, deps, stop.clone())), stop }
    }

    /// Waits for something that comes by itself.
    pub(crate) async fn until(&mut self, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let waiting = async {
            while !holds(self).await {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await.unwrap();
    }

    /// A private channel with ada and bob in it.
    pub(crate) async fn private(&self) -> String {
        let args = json!({ "name": "secret", "is_private": true });
        let made = self.call(&self.ada, "conversations.create", args).await;
        let id = made["channel"]["id"].as_str().unwrap().to_owned();
        let args = json!({ "channel": id, "users": self.bob.id.to_string() });
        self.call(&self.ada, "conversations.invite", args).await;
        id
    }
}

/// Jobs that run.
pub(crate) struct RunningJobs {
    task: tokio::task::JoinHandle<()>,
    stop: tokio_util::sync::CancellationToken,
}

impl RunningJobs {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

struct Bytes(Arc<api::blobs::Blobs>);

#[async_trait]
impl jobs::Files for Bytes {
    async fn delete_all(&self, workspace: WorkspaceId, file: model::FileId) -> Result<(), String> {
        self.0.delete_all(workspace, file).await.map_err(|failed| failed.to_string())
    }
    async fn picture(&self, _: WorkspaceId, _: model::FileId) -> Result<Option<jobs::Picture>, String> {
        Err("thumbnails are made by the binary".to_owned())
    }
    async fn delete_photo(&self, _: WorkspaceId, _: UserId, _: &str) -> Result<(), String> {
        Err("photos are taken away by the binary".to_owned())
    }
}

/// What the worker does, without a process of its own.
struct Photos;

#[async_trait]
impl api::photos::MakePhotos for Photos {
    async fn photo(&self, picture: bytes::Bytes, crop: Option<Crop>) -> Result<Made, PictureError> {
        pictures::make::photo(&picture, crop).map_err(PictureError::from)
    }
}

struct Writer(Appender);

#[async_trait]
impl jobs::Writer for Writer {
    async fn write(&self, write: Write) -> Result<Done, jobs::WriteFailed> {
        self.0.write(write, WriteContext::default()).await.map_err(|failed| match failed {
            api::appender::WriteError::Refused(refusal) => jobs::WriteFailed::Refused(refusal),
            failed => jobs::WriteFailed::Later(failed.to_string()),
        })
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) fn config() -> Config {
    Config { public_url: "http://chat.example.org".to_owned(), ..Config::default() }
}

fn person(id: u64, name: &str, role: Role) -> NewPerson {
    NewPerson {
        id: UserId::from_random(id),
        name: name.to_owned(),
        real_name: format!("{name} Somebody"),
        email: format!("{name}@example.org"),
        password_hash: None,
        role,
        tz: "Etc/UTC".to_owned(),
        quiet: false,
    }
}
