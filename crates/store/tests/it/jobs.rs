//! The queue, and messages that are posted later.

use model::{Draft, EventKind, JobId, ScheduledId};
use store::{Done, NewJob, Refusal, SCHEDULED_MAX, ScheduledQuery, WriteKind};

use crate::world::*;

fn job(id: u64, key: Option<&str>, run_at: i64) -> WriteKind {
    WriteKind::Enqueue(NewJob {
        id: JobId::from_raw(id),
        kind: "test",
        payload: format!("{{\"n\":{id}}}"),
        key: key.map(str::to_owned),
        run_at,
    })
}

fn schedule(number: u64, draft: Draft, post_at: i64) -> WriteKind {
    WriteKind::Schedule {
        id: ScheduledId::from_raw(number),
        job: JobId::from_raw(number),
        draft: Box::new(draft),
        public_without_membership: false,
        post_at,
    }
}

const ALL: ScheduledQuery =
    ScheduledQuery { channel: None, oldest: 0, latest: i64::MAX, after: None, limit: 100 };

async fn due(world: &World, now: i64) -> Vec<u64> {
    world.store.due_jobs(now, 100).await.unwrap().iter().map(|job| job.id.raw()).collect()
}

#[tokio::test]
async fn a_job_is_one_holders_until_its_lease_ends() {
    let mut world = World::new().await;
    world.ok(job(1, None, 100)).await;
    world.ok(job(2, None, 50)).await;
    assert_eq!(due(&world, 49).await, [0u64; 0]);
    assert_eq!(due(&world, 100).await, [2, 1], "the most overdue first");
    let id = JobId::from_raw(1);
    let lease = |run_at, until| WriteKind::LeaseJob { id, run_at, until };
    world.ok(lease(100, 1_000)).await;
    assert_eq!(world.run(lease(100, 1_000)).await.result, Err(Refusal::JobNotFound), "it is taken");
    assert_eq!(due(&world, 999).await, [2]);
    // Its holder is gone: the next one takes it, and what the first one says does not count any more.
    world.ok(lease(1_000, 2_000)).await;
    let finish = |lease| WriteKind::FinishJob { id, lease };
    assert_eq!(world.run(finish(1_000)).await.result, Err(Refusal::JobNotFound));
    let fail = |retry_at| WriteKind::FailJob { id, lease: 2_000, error: "no".to_owned(), retry_at };
    world.ok(fail(Some(3_000))).await;
    let again = world.store.due_jobs(3_000, 10).await.unwrap().pop().unwrap();
    assert_eq!((again.id, again.tries, again.error.as_deref()), (id, 2, Some("no")));
    world.ok(lease(3_000, 4_000)).await;
    world.ok(WriteKind::FinishJob { id, lease: 4_000 }).await;
    assert_eq!(due(&world, i64::MAX).await, [2]);
}

#[tokio::test]
async fn what_was_given_up_waits_for_an_operator() {
    let mut world = World::new().await;
    let id = JobId::from_raw(1);
    world.ok(job(1, None, 100)).await;
    world.ok(WriteKind::LeaseJob { id, run_at: 100, until: 200 }).await;
    world.ok(WriteKind::FailJob { id, lease: 200, error: "never".to_owned(), retry_at: None }).await;
    assert_eq!(due(&world, i64::MAX).await, [0u64; 0]);
    let dead = world.store.dead_jobs(10).await.unwrap();
    assert_eq!(
        dead.iter().map(|job| (job.id, job.tries, job.error.clone())).collect::<Vec<_>>(),
        [(id, 1, Some("never".to_owned()))]
    );
    world.ok(WriteKind::ReplayJob { id }).await;
    assert_eq!(due(&world, i64::MAX).await, [1]);
    assert_eq!(
        world.run(WriteKind::DropJob { id }).await.result,
        Err(Refusal::JobNotFound),
        "it is not dead"
    );
    assert_eq!(world.run(WriteKind::ReplayJob { id }).await.result, Err(Refusal::JobNotFound));
}

#[tokio::test]
async fn of_jobs_with_one_key_the_newest_is_queued() {
    let mut world = World::new().await;
    let outcomes =
        world.batch(vec![job(1, Some("k"), 100), job(2, Some("k"), 300), job(3, Some("other"), 100)]).await;
    assert!(outcomes.unwrap().iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(due(&world, i64::MAX).await, [3, 2]);
    world.ok(job(4, Some("k"), 50)).await;
    assert_eq!(due(&world, i64::MAX).await, [4, 3]);
}

#[tokio::test]
async fn a_scheduled_message_is_posted_once_whoever_posts_it() {
    let mut world = World::new().await;
    let later = Draft { blocks: Some("[]".to_owned()), mentions: vec![BO], ..draft(SECRET, ANN, "later") };
    world.ok(schedule(1, later, 2_000)).await;
    assert_eq!(due(&world, 2_000_000_000).await, [1]);
    let listed = world.store.scheduled(WS, ANN, ALL).await.unwrap();
    assert_eq!(listed.iter().map(|one| (one.id.raw(), one.post_at)).collect::<Vec<_>>(), [(1, 2_000)]);
    assert_eq!(world.store.scheduled(WS, BO, ALL).await.unwrap(), []);
    let now = |id| WriteKind::PostScheduled { id: ScheduledId::from_raw(id), channel: SECRET };
    // Two runners at once, in one batch even.
    let outcomes = world.batch(vec![now(1), now(1)]).await.unwrap();
    let Ok(Done::Scheduled(Ok(message))) = &outcomes[0].result else { panic!("{outcomes:?}") };
    assert_eq!((message.text.as_str(), message.blocks.as_deref()), ("later", Some("[]")));
    assert_eq!(outcomes[1].result, Err(Refusal::ScheduledNotFound));
    assert_eq!(due(&world, i64::MAX).await, [0u64; 0], "its job is gone with it");
    let (_, own) = world.store.channel(WS, SECRET, Some(BO)).await.unwrap().unwrap();
    assert_eq!(own.unwrap().mention_count, 1);
}

#[tokio::test]
async fn what_cannot_be_posted_any_more_is_dropped() {
    let mut world = World::new().await;
    world.ok(schedule(1, draft(SECRET, BO, "later"), 2_000)).await;
    world.ok(WriteKind::Kick { channel: SECRET, by: by(ANN), user: BO }).await;
    let dropped = world.run(WriteKind::PostScheduled { id: ScheduledId::from_raw(1), channel: SECRET }).await;
    assert_eq!(dropped.result, Ok(Done::Scheduled(Err(Refusal::ChannelNotFound))));
    assert!(!dropped.events.iter().any(|event| matches!(event.kind, EventKind::Message { .. })));
    assert_eq!(world.store.scheduled(WS, BO, ALL).await.unwrap(), []);
    assert_eq!(due(&world, i64::MAX).await, [0u64; 0]);
}

#[tokio::test]
async fn scheduling_is_refused_where_posting_would_be() {
    let mut world = World::new().await;
    for (number, draft, refusal) in [
        (1, draft(SECRET, CY, "x"), Refusal::ChannelNotFound),
        (2, draft(SECRET, ANN, " "), Refusal::NoText),
        (
            3,
            Draft { thread: Some(model::Ts::from_micros(5)), ..draft(SECRET, ANN, "x") },
            Refusal::ThreadNotFound,
        ),
    ] {
        assert_eq!(world.run(schedule(number, draft, 2_000)).await.result, Err(refusal));
    }
    for number in 0..SCHEDULED_MAX {
        world
            .ok(schedule(10 + number, draft(SECRET, ANN, "x"), 2_000 + i64::try_from(number).unwrap()))
            .await;
    }
    assert_eq!(
        world.run(schedule(99, draft(SECRET, ANN, "x"), 2_005)).await.result,
        Err(Refusal::TooManyScheduled)
    );
    world.ok(schedule(100, draft(SECRET, ANN, "x"), 9_000)).await;
    let take_back =
        |id, who| WriteKind::Unschedule { id: ScheduledId::from_raw(id), channel: SECRET, by: by(who) };
    assert_eq!(world.run(take_back(100, BO)).await.result, Err(Refusal::ScheduledNotFound));
    world.ok(take_back(100, ANN)).await;
    assert_eq!(world.run(take_back(100, ANN)).await.result, Err(Refusal::ScheduledNotFound));
    assert!(!due(&world, i64::MAX).await.contains(&100));
    // Pages.
    let first = world.store.scheduled(WS, ANN, ScheduledQuery { limit: 20, ..ALL }).await.unwrap();
    let last = first.last().map(|one| (one.post_at, one.id));
    let rest = world.store.scheduled(WS, ANN, ScheduledQuery { after: last, ..ALL }).await.unwrap();
    assert_eq!((first.len(), rest.len()), (20, 10));
}
