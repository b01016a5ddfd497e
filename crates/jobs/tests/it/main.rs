//! The runner over a real store: what is due is done, what fails is tried again and given up, what was begun by a
//! runner that is gone is done by another.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jobs::{Config, Deps, Files, Picture, WriteFailed, Writer, attempt::Patience, metrics::JobsMetrics};
use model::{
    ChannelId, Draft, FileId, Format, Image, JobId, MessageText, Photo, Role, ScheduledId, UserId,
    WorkspaceId,
};
use runtime::Clock;
use store::{
    By, CompletedFile, Done, Log, NewJob, NewPerson, NewUpload, Store, StoredUpload, Write, WriteKind,
};
use tokio_util::sync::CancellationToken;

const WS: WorkspaceId = WorkspaceId::from_raw(1);
const GENERAL: ChannelId = ChannelId::from_raw(11);
const ANN: UserId = UserId::from_raw(21);
const START: i64 = 1_700_000_000_000_000;

/// A store with one writer, as an appender is one, that can be told to fail.
struct World {
    log: tokio::sync::Mutex<Box<dyn Log>>,
    store: Arc<dyn Store>,
    clock: Clock,
    /// Writes that the handlers of jobs make and that fail from now on.
    failing: AtomicUsize,
    handled: Mutex<Vec<WriteKind>>,
    /// Deletions of bytes that fail from now on.
    unreachable: AtomicUsize,
    deleted: Mutex<Vec<FileId>>,
    deleted_photos: Mutex<Vec<String>>,
    _folder: tempfile::TempDir,
}

#[async_trait]
impl Writer for World {
    async fn write(&self, write: Write) -> Result<Done, WriteFailed> {
        if matches!(write.kind, WriteKind::PostScheduled { .. } | WriteKind::ExpireStatus { .. }) {
            self.handled.lock().unwrap().push(write.kind.clone());
            let failing = self.failing.load(Ordering::Relaxed);
            if failing > 0 {
                self.failing.store(failing - 1, Ordering::Relaxed);
                return Err(WriteFailed::Later("the store is away".to_owned()));
            }
        }
        let outcome = self.log.lock().await.commit(vec![write], self.clock.now_us()).await.unwrap().remove(0);
        outcome.result.map_err(WriteFailed::Refused)
    }
}

#[async_trait]
impl Files for World {
    async fn delete_all(&self, _: WorkspaceId, file: FileId) -> Result<(), String> {
        let left = self.unreachable.load(Ordering::Relaxed);
        if left > 0 {
            self.unreachable.store(left - 1, Ordering::Relaxed);
            return Err("the directory is away".to_owned());
        }
        self.deleted.lock().unwrap().push(file);
        Ok(())
    }
    async fn delete_photo(&self, _: WorkspaceId, user: UserId, photo: &str) -> Result<(), String> {
        assert_eq!(user, ANN);
        self.deleted_photos.lock().unwrap().push(photo.to_owned());
        Ok(())
    }
    async fn picture(&self, _: WorkspaceId, _: FileId) -> Result<Option<Picture>, String> {
        Ok(Some(Picture { image: Some(Image { width: 7, ..Image::default() }), channels: Vec::new() }))
    }
}

impl World {
    async fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (log, store) = store::sqlite::open(folder.path()).unwrap();
        let world = Self {
            log: tokio::sync::Mutex::new(Box::new(log)),
            store: Arc::new(store),
            clock: Clock::manual(START),
            failing: AtomicUsize::new(0),
            handled: Mutex::default(),
            unreachable: AtomicUsize::new(0),
            deleted: Mutex::default(),
            deleted_photos: Mutex::default(),
            _folder: folder,
        };
        let owner = NewPerson {
            id: ANN,
            name: "ann".to_owned(),
            real_name: "Ann".to_owned(),
            email: "ann@example.org".to_owned(),
            password_hash: None,
            role: Role::PrimaryOwner,
            tz: "UTC".to_owned(),
            quiet: false,
        };
        world
            .ok(WriteKind::CreateWorkspace {
                name: "Test".to_owned(),
                domain: "test".to_owned(),
                general: GENERAL,
                random: ChannelId::from_raw(12),
                owner: Box::new(owner),
                only_first: true,
            })
            .await;
        Arc::new(world)
    }

    async fn ok(&self, kind: WriteKind) -> Done {
        self.write(Write { workspace: WS, kind }).await.unwrap()
    }

    /// A message that is due `seconds` after the start.
    async fn schedule(&self, number: u64, seconds: i64) {
        let draft = Draft {
            channel: GENERAL,
            author: ANN,
            bot: None,
            subtype: None,
            text: MessageText::new(format!("message {number}")).unwrap(),
            blocks: None,
            attachments: None,
            metadata: None,
            client_msg_id: None,
            thread: None,
            broadcast: false,
            mentions: Vec::new(),
            mentions_everyone: false,
        };
        self.ok(WriteKind::Schedule {
            id: ScheduledId::from_raw(number),
            job: JobId::from_raw(number),
            draft: Box::new(draft),
            public_without_membership: false,
            post_at: START / 1_000_000 + seconds,
        })
        .await;
    }

    /// Numbers of the scheduled messages that were posted, in the order of the channel.
    async fn posted(&self) -> Vec<u64> {
        let range = store::Range {
            oldest: model::Ts::ZERO,
            latest: model::Ts::MAX,
            inclusive: false,
            limit: 1_000,
            from_oldest: false,
        };
        let page = self.store.history(WS, GENERAL, range).await.unwrap();
        let number = |message: &model::Message| message.text.as_str().strip_prefix("message ")?.parse().ok();
        page.messages.iter().rev().filter_map(number).collect()
    }

    fn run(self: &Arc<Self>, patience: Patience) -> Running {
        self.run_looking(Duration::from_millis(5), patience)
    }

    fn run_looking(self: &Arc<Self>, look_every: Duration, patience: Patience) -> Running {
        let deps = Deps {
            store: Arc::clone(&self.store),
            writer: Arc::clone(self) as Arc<dyn Writer>,
            files: Arc::clone(self) as Arc<dyn Files>,
            queued: Arc::default(),
            clock: self.clock.clone(),
            metrics: JobsMetrics::default(),
        };
        let config = Config { look_every, patience, ..Config::default() };
        let (stop, metrics) = (CancellationToken::new(), deps.metrics.clone());
        Running { task: tokio::spawn(jobs::run(config, deps, stop.clone())), stop, metrics }
    }

    fn at(&self, seconds: i64) {
        self.clock.set(START + seconds * 1_000_000);
    }
}

struct Running {
    task: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    metrics: JobsMetrics,
}

impl Running {
    async fn stop(self) -> JobsMetrics {
        self.stop.cancel();
        self.task.await.unwrap();
        self.metrics
    }
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
}

const PATIENCE: Patience =
    Patience { tries_max: 3, rest_min: Duration::from_secs(10), rest_max: Duration::from_secs(60) };

#[tokio::test]
async fn what_is_due_is_done_once_with_two_runners() {
    let world = World::new().await;
    for number in 0..40 {
        world.schedule(number, i64::try_from(number).unwrap() * 30 + 1).await;
    }
    world.schedule(99, 3_600).await;
    let (one, two) = (world.run(PATIENCE), world.run(PATIENCE));
    world.at(1_800);
    until(async || world.posted().await.len() >= 40).await;
    let done = one.stop().await.done.get() + two.stop().await.done.get();
    let mut posted = world.posted().await;
    posted.sort_unstable();
    assert_eq!(posted, (0..40).collect::<Vec<_>>(), "each once, and none before its time");
    assert_eq!(done, 40);
    assert_eq!(world.store.due_jobs(i64::MAX, 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_due_before_the_next_look_does_not_wait_for_it() {
    let world = World::new().await;
    world.schedule(1, 1).await;
    world.schedule(2, 3_600).await;
    let running = world.run_looking(Duration::from_secs(60), PATIENCE);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.posted().await, [0u64; 0]);
    world.at(1);
    until(async || world.posted().await == [1]).await;
    running.stop().await;
}

#[tokio::test]
async fn what_fails_rests_and_is_tried_again() {
    let world = World::new().await;
    world.schedule(1, 1).await;
    world.failing.store(1, Ordering::Relaxed);
    world.at(2);
    let running = world.run(PATIENCE);
    until(async || running.metrics.failed.get() == 1).await;
    let resting = world.store.due_jobs(i64::MAX, 10).await.unwrap().remove(0);
    assert_eq!((resting.tries, resting.error.as_deref()), (1, Some("the store is away")));
    assert_eq!(resting.run_at, START + 12_000_000, "ten seconds after it failed");
    assert_eq!(world.posted().await, [0u64; 0]);
    world.at(13);
    until(async || world.posted().await == [1]).await;
    running.stop().await;
}

#[tokio::test]
async fn what_fails_for_good_is_given_up_and_can_be_replayed() {
    let world = World::new().await;
    world.schedule(1, 1).await;
    world.failing.store(usize::MAX, Ordering::Relaxed);
    let running = world.run(PATIENCE);
    for seconds in [2, 20, 60] {
        world.at(seconds);
        let tries = world.handled.lock().unwrap().len();
        until(async || world.handled.lock().unwrap().len() > tries || running.metrics.given_up.get() > 0)
            .await;
    }
    until(async || running.metrics.given_up.get() == 1).await;
    until(async || !world.store.dead_jobs(10).await.unwrap().is_empty()).await;
    assert_eq!(world.handled.lock().unwrap().len(), 3);
    let dead = world.store.dead_jobs(10).await.unwrap().remove(0);
    assert_eq!((dead.tries, dead.error.as_deref()), (3, Some("the store is away")));
    world.failing.store(0, Ordering::Relaxed);
    world.ok(WriteKind::ReplayJob { id: dead.id }).await;
    until(async || world.posted().await == [1]).await;
    running.stop().await;
}

#[tokio::test]
async fn what_nobody_can_do_is_given_up_at_once() {
    let world = World::new().await;
    for (id, kind, payload) in [(1, "no_such_kind", "{}"), (2, store::job_kinds::EXPIRE_STATUS, "{}")] {
        let job =
            NewJob { id: JobId::from_raw(id), kind, payload: payload.to_owned(), key: None, run_at: START };
        world.ok(WriteKind::Enqueue(job)).await;
    }
    let running = world.run(PATIENCE);
    until(async || world.store.dead_jobs(10).await.unwrap().len() == 2).await;
    running.stop().await;
    let mut errors: Vec<_> =
        world.store.dead_jobs(10).await.unwrap().into_iter().map(|job| job.error.unwrap()).collect();
    errors.sort();
    assert!(
        errors[0].starts_with("the payload cannot be read") && errors[1].ends_with("no_such_kind"),
        "{errors:?}"
    );
}

#[tokio::test]
async fn a_runner_that_is_gone_leaves_its_job_to_another() {
    let world = World::new().await;
    world.schedule(1, 1).await;
    world.at(2);
    // Taken by a runner that died: nothing of it was written.
    let job = world.store.due_jobs(world.clock.now_us(), 1).await.unwrap().remove(0);
    let until_us = START + 62_000_000;
    world.ok(WriteKind::LeaseJob { id: job.id, run_at: job.run_at, until: until_us }).await;
    let running = world.run(PATIENCE);
    world.at(61);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.posted().await, [0u64; 0], "the lease holds");
    world.at(63);
    until(async || world.posted().await == [1]).await;
    running.stop().await;
}

const OWNER: By = By { user: ANN, role: Role::PrimaryOwner };

/// A file whose bytes are there and that is not complete; it has a minute.
async fn announce(world: &World, id: FileId, thumbnails: bool) {
    let upload = NewUpload {
        id,
        by: OWNER,
        name: "a".to_owned(),
        alt_text: String::new(),
        filetype: String::new(),
        snippet: false,
        length: 5,
        secret: None,
        expires: START + 60_000_000,
        job: JobId::from_raw(1),
        quota: 0,
    };
    world.ok(WriteKind::BeginUpload(Box::new(upload))).await;
    let stored = StoredUpload {
        id,
        name: None,
        snippet: false,
        blob: "b".to_owned(),
        size: 5,
        sha256: [0; 32],
        mime: "image/png".to_owned(),
        filetype: "png".to_owned(),
        thumbnails,
        quota: 0,
    };
    world.ok(WriteKind::StoreUpload(Box::new(stored))).await;
}

fn complete(id: FileId) -> WriteKind {
    WriteKind::CompleteUpload {
        by: OWNER,
        files: vec![CompletedFile { id, title: None, alt_text: None, job: JobId::from_raw(9) }],
        shares: Vec::new(),
        public_without_membership: false,
    }
}

#[tokio::test]
async fn an_upload_that_is_not_completed_is_forgotten_with_its_bytes() {
    let world = World::new().await;
    let file = FileId::from_raw(1);
    announce(&world, file, false).await;
    // Its bytes cannot be taken away at first: the job runs again, and the row is gone already.
    world.unreachable.store(1, Ordering::Relaxed);
    let running = world.run(PATIENCE);
    world.at(61);
    until(async || running.metrics.failed.get() == 1).await;
    let gone = world.write(Write { workspace: WS, kind: complete(file) }).await;
    assert_eq!(gone, Err(WriteFailed::Refused(store::Refusal::FileNotFound)));
    world.at(80);
    until(async || world.deleted.lock().unwrap().contains(&file)).await;
    until(async || world.store.due_jobs(i64::MAX, 10).await.unwrap().is_empty()).await;
    running.stop().await;
}

#[tokio::test]
async fn a_picture_gets_thumbnails_once_it_is_complete() {
    let world = World::new().await;
    let file = FileId::from_raw(1);
    announce(&world, file, true).await;
    let running = world.run(PATIENCE);
    world.ok(complete(file)).await;
    let image = async || world.store.file(WS, file, None).await.unwrap().unwrap().file.image;
    until(async || image().await.is_some_and(|image| image.width == 7)).await;
    until(async || world.store.due_jobs(i64::MAX, 10).await.unwrap().is_empty()).await;
    running.stop().await;
}

#[tokio::test]
async fn the_bytes_of_a_photo_go_with_it_and_those_of_one_that_nobody_got() {
    let world = World::new().await;
    let running = world.run(PATIENCE);
    let photo = |name: &str| Photo { name: name.repeat(32), side: 100, format: Format::Jpeg };
    let set = |photo, job| WriteKind::SetPhoto { user: ANN, photo, job: JobId::from_raw(job) };
    world.ok(set(Some(photo("a")), 1)).await;
    world.ok(set(Some(photo("b")), 2)).await;
    let deleted = async || world.deleted_photos.lock().unwrap().clone();
    until(async || deleted().await == ["a".repeat(32)]).await;
    world.ok(set(None, 3)).await;
    until(async || deleted().await.len() == 2).await;
    // Written, and then the connection broke: it was queued before.
    let unused = store::job_kinds::delete_photo(JobId::from_raw(4), ANN, "c", START + 60_000_000);
    world.ok(WriteKind::Enqueue(unused)).await;
    world.at(61);
    until(async || deleted().await == ["a".repeat(32), "b".repeat(32), "c".to_owned()]).await;
    until(async || world.store.due_jobs(i64::MAX, 10).await.unwrap().is_empty()).await;
    running.stop().await;
}
