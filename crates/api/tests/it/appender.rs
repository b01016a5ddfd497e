//! The appender's promises, over a log that fails in every way a log can; and the hand-over to `admin`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::appender::{Appender, Batcher, WriteContext, WriteError};
use api::publish::{BATCHES_MAX, Journeys, Publisher};
use async_trait::async_trait;
use model::{
    ChannelId, Event, EventKind, Head, Micros, NodeId, Position, Seq, Topic, TopicId, TraceId, Ts, UserId,
    WorkspaceId,
};
use rpc::{Admin, Call, CallError, EventRecord, Journey, Reply, Revoked, Signal};
use runtime::Clock;
use store::{By, Cause, CommitError, Done, Log, Outcome, Refusal, Write, WriteKind};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

const TOPIC: Topic = Topic { workspace: WorkspaceId::from_raw(1), id: TopicId::User(UserId::from_raw(2)) };

/// What the fake log does with a batch, by the `ts` of its marks.
const POISON: i64 = 13;
/// An item that makes the store unreachable.
const DOWN: i64 = -3;
const REFUSED: i64 = 7;

/// Commits marks; each makes an event. Waits for a permit before every commit.
struct FakeLog {
    gate: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<i64>>>>,
    next: u64,
    then: Option<CommitError>,
}

fn mark(number: i64) -> Write {
    let by = By { user: UserId::from_raw(2), role: model::Role::Member };
    let kind = WriteKind::Mark { channel: ChannelId::from_raw(3), by, ts: Ts::from_micros(number) };
    Write { workspace: WorkspaceId::from_raw(1), kind }
}

fn number(write: &Write) -> i64 {
    match &write.kind {
        WriteKind::Mark { ts, .. } => ts.micros(),
        other => panic!("{other:?}"),
    }
}

#[async_trait]
impl Log for FakeLog {
    async fn commit(&mut self, batch: Vec<Write>, _now: Micros) -> Result<Vec<Outcome>, CommitError> {
        self.gate.acquire().await.unwrap().forget();
        let numbers: Vec<i64> = batch.iter().map(number).collect();
        if let Some(error) = self.then.take() {
            return Err(error);
        }
        if numbers.contains(&DOWN) {
            return Err(CommitError::NotWritten { reason: "gone".to_owned(), cause: Cause::Unavailable });
        }
        if numbers.contains(&POISON) {
            return Err(CommitError::NotWritten { reason: "constraint".to_owned(), cause: Cause::Refused });
        }
        self.batches.lock().unwrap().push(numbers.clone());
        let outcomes = numbers.into_iter().map(|number| {
            if number == REFUSED {
                return Outcome { result: Err(Refusal::NotInChannel), events: Vec::new() };
            }
            self.next += 1;
            let position = Position { seq: Seq::new(self.next), ..Position::START };
            let kind = EventKind::Nothing;
            let event = Event { topic: TOPIC, position, at: Ts::from_micros(number), kind };
            Outcome { result: Ok(Done::Ok), events: vec![event] }
        });
        Ok(outcomes.collect())
    }

    async fn maintain(&mut self) -> Result<(), CommitError> {
        Ok(())
    }
}

struct Rig {
    appender: Appender,
    gate: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<i64>>>>,
    committed: mpsc::Receiver<api::publish::Committed>,
    running: tokio::task::JoinHandle<Result<(), api::appender::LogFailed>>,
}

fn rig(then: Option<CommitError>) -> Rig {
    let (appender, items) = Appender::new();
    let (gate, batches) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::default()));
    let log = FakeLog { gate: Arc::clone(&gate), batches: Arc::clone(&batches), next: 0, then };
    let (hand_on, committed) = mpsc::channel(64);
    let batcher = Batcher::new(Box::new(log), Clock::manual(5), hand_on);
    let running = tokio::spawn(batcher.run(items));
    Rig { appender, gate, batches, committed, running }
}

/// Starts writes, one after the other in the queue.
async fn start(
    appender: &Appender,
    numbers: &[i64],
) -> Vec<tokio::task::JoinHandle<Result<Done, WriteError>>> {
    let mut waiting = Vec::new();
    for &number in numbers {
        let before = appender.waiting();
        let own = appender.clone();
        waiting.push(tokio::spawn(async move { own.write(mark(number), WriteContext::default()).await }));
        // The first may be taken at once; the others stay in the queue behind the gate.
        for _ in 0..1_000 {
            if appender.waiting() != before {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    waiting
}

async fn outcomes(
    waiting: Vec<tokio::task::JoinHandle<Result<Done, WriteError>>>,
) -> Vec<Result<Done, WriteError>> {
    let mut all = Vec::new();
    for one in waiting {
        all.push(one.await.unwrap());
    }
    all
}

#[tokio::test]
async fn what_queued_during_a_commit_is_the_next_batch_and_events_leave_in_commit_order() {
    let mut rig = rig(None);
    let waiting = start(&rig.appender, &[1, 2, 3, REFUSED, 4]).await;
    rig.gate.add_permits(2);
    let results = outcomes(waiting).await;
    assert_eq!(results[3], Err(WriteError::Refused(Refusal::NotInChannel)));
    assert_eq!(results.iter().filter(|result| **result == Ok(Done::Ok)).count(), 4);
    assert_eq!(*rig.batches.lock().unwrap(), [vec![1], vec![2, 3, REFUSED, 4]]);
    let mut seqs = Vec::new();
    while let Ok(batch) = rig.committed.try_recv() {
        seqs.extend(batch.records.iter().map(|record| record.seq().raw()));
    }
    assert_eq!(seqs, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_caller_that_goes_away_strands_nothing() {
    let mut rig = rig(None);
    let waiting = start(&rig.appender, &[1, 2]).await;
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    rig.gate.add_permits(2);
    let mut records = 0;
    while records < 2 {
        records += rig.committed.recv().await.unwrap().records.len();
    }
    assert_eq!(rig.batches.lock().unwrap().concat(), [1, 2]);
}

#[tokio::test]
async fn one_item_that_the_engine_will_not_take_fails_alone() {
    let rig = rig(None);
    let waiting = start(&rig.appender, &[1, 2, POISON, 3]).await;
    rig.gate.add_permits(10);
    let results = outcomes(waiting).await;
    let refused = Err(WriteError::NotWritten { cause: Cause::Refused });
    assert_eq!(results, [Ok(Done::Ok), Ok(Done::Ok), refused, Ok(Done::Ok)]);
}

#[tokio::test]
async fn each_way_to_fail_is_told_apart() {
    let not_written =
        |cause| (CommitError::NotWritten { reason: "x".to_owned(), cause }, WriteError::NotWritten { cause });
    let unknown = CommitError::Unknown { reason: "connection lost".to_owned() };
    let cases = [not_written(Cause::Full), not_written(Cause::Unavailable), (unknown, WriteError::Unknown)];
    for (then, expect) in cases {
        let rig = rig(Some(then));
        let waiting = start(&rig.appender, &[1]).await;
        rig.gate.add_permits(2);
        assert_eq!(outcomes(waiting).await, [Err(expect)]);
        assert_eq!(rig.appender.write(mark(2), WriteContext::default()).await, Ok(Done::Ok), "it goes on");
    }
}

#[tokio::test]
async fn a_batch_that_the_store_cannot_take_now_is_not_tried_item_by_item() {
    let rig = rig(None);
    let waiting = start(&rig.appender, &[1, 2, DOWN, 3]).await;
    rig.gate.add_permits(10);
    let down = || Err(WriteError::NotWritten { cause: Cause::Unavailable });
    assert_eq!(outcomes(waiting).await, [Ok(Done::Ok), down(), down(), down()]);
    assert_eq!(*rig.batches.lock().unwrap(), [vec![1]]);
}

#[tokio::test]
async fn a_failed_log_acknowledges_nothing_more() {
    let rig = rig(Some(CommitError::Fatal { reason: "fsync".to_owned() }));
    let waiting = start(&rig.appender, &[1, 2, 3]).await;
    rig.gate.add_permits(5);
    let results = outcomes(waiting).await;
    assert!(results.iter().all(|result| *result == Err(WriteError::Unknown)), "{results:?}");
    assert!(rig.running.await.unwrap().is_err(), "the appender ends, and with it the process");
    let later = rig.appender.write(mark(4), WriteContext::default()).await;
    assert_eq!(later, Err(WriteError::NotWritten { cause: Cause::Unavailable }));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let rig = rig(None);
    let mut waiting = Vec::new();
    for number in 0..9_000 {
        let own = rig.appender.clone();
        waiting
            .push(tokio::spawn(async move { own.write(mark(100 + number), WriteContext::default()).await }));
    }
    while rig.appender.waiting() < 8_192 {
        tokio::task::yield_now().await;
    }
    let refused = rig.appender.write(mark(1), WriteContext::default()).await;
    assert_eq!(refused, Err(WriteError::Overloaded { retry_after_s: 1 }));
    rig.gate.add_permits(100);
    let results = outcomes(waiting).await;
    assert!(results.iter().filter(|result| **result == Ok(Done::Ok)).count() >= 8_192);
}

/// An `admin` that refuses until told otherwise.
#[derive(Default)]
struct Forgetful {
    published: Mutex<Vec<u64>>,
    announced: Mutex<Vec<Head>>,
    down: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Admin for Forgetful {
    async fn publish(&self, _: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(CallError::Unavailable { role: "admin" });
        }
        self.published.lock().unwrap().extend(events.iter().map(|event| event.seq().raw()));
        Ok(vec![Reply::Ok; events.len()])
    }
    async fn announce(&self, _: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(CallError::Unavailable { role: "admin" });
        }
        let replies = vec![Reply::Ok; heads.len()];
        self.announced.lock().unwrap().extend(heads);
        Ok(replies)
    }
    async fn signal(&self, _: &Call, _: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        Ok(Vec::new())
    }
    async fn revoke(&self, _: &Call, _: Vec<model::CredentialId>) -> Result<Revoked, CallError> {
        Ok(Revoked::default())
    }
    async fn journey(&self, _: &Call, _: Topic, _: Seq) -> Result<Journey, CallError> {
        Ok(Journey::default())
    }
}

#[tokio::test]
async fn what_was_not_handed_over_is_announced_within_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let (log, store) = store::sqlite::open(folder.path()).unwrap();
    let store: Arc<dyn store::Store> = Arc::new(store);
    let (appender, items) = Appender::new();
    let (hand_on, committed) = mpsc::channel(BATCHES_MAX);
    tokio::spawn(Batcher::new(Box::new(log), Clock::system(), hand_on).run(items));
    let admin = Arc::new(Forgetful::default());
    let node = NodeId { name: "web".to_owned(), incarnation: 1 };
    let journeys = Journeys::default();
    let publisher =
        Arc::new(Publisher { node, admin: Arc::clone(&admin) as Arc<dyn Admin>, journeys: journeys.clone() });
    let drain = CancellationToken::new();
    tokio::spawn(Arc::clone(&publisher).run(committed));
    admin.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let workspace = WorkspaceId::from_raw(1);
    let owner = store::NewPerson {
        id: UserId::from_raw(2),
        name: "ann".to_owned(),
        real_name: "Ann".to_owned(),
        email: "ann@example.org".to_owned(),
        password_hash: None,
        role: model::Role::Owner,
        tz: "UTC".to_owned(),
        quiet: false,
    };
    let kind = WriteKind::CreateWorkspace {
        name: "W".to_owned(),
        domain: "w".to_owned(),
        general: ChannelId::from_raw(10),
        random: ChannelId::from_raw(11),
        owner: Box::new(owner),
        only_first: true,
    };
    let context = WriteContext { trace: TraceId(9), accepted: 1, origin: None };
    appender.write(Write { workspace, kind }, context).await.unwrap();
    let general = Topic { workspace, id: TopicId::Channel(ChannelId::from_raw(10)) };
    let model::HeadRead::At(head) = store.heads(&[general]).await.unwrap()[0] else { panic!() };
    // Down for the hand-over and for a first sweep; up again later.
    tokio::spawn(publisher.sweep(store.sweep(), drain.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(admin.published.lock().unwrap().is_empty());
    admin.down.store(false, std::sync::atomic::Ordering::SeqCst);
    let announced = async {
        loop {
            if admin.announced.lock().unwrap().contains(&Head { topic: general, position: head }) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), announced).await.expect("not announced within two seconds");
    let (trace, times) = journeys.get(general, head.seq).unwrap();
    assert_eq!((trace, times.accepted), (TraceId(9), 1));
    drain.cancel();
}
