//! Profiles, do-not-disturb, preferences.

use model::{Dnd, EventKind, Photo, Status, User, UserPart};
use store::{Done, ProfileChange, Refusal, WriteKind};

use crate::world::*;

fn set(user: model::UserId, actor: model::UserId, change: ProfileChange) -> WriteKind {
    WriteKind::SetProfile { user, by: by(actor), change: Box::new(change) }
}

fn status(text: &str, expiration: i64) -> ProfileChange {
    let status = Status { text: text.to_owned(), emoji: ":gear:".to_owned(), expiration };
    let job = model::JobId::from_random(u64::try_from(expiration).unwrap() + 1);
    ProfileChange { status: Some(status), expiry_job: Some(job), ..ProfileChange::default() }
}

fn set_title(user: model::UserId, title: &str) -> WriteKind {
    set(user, user, ProfileChange { title: Some(title.to_owned()), ..ProfileChange::default() })
}

async fn user(world: &World, id: model::UserId) -> User {
    world.store.user(WS, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_profile_is_changed_by_its_owner_and_by_who_stands_above() {
    let mut world = World::new().await;
    let title = ProfileChange { title: Some("Cook".to_owned()), ..ProfileChange::default() };
    let outcome = world.run(set(BO, BO, title.clone())).await;
    let [event] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert!(
        matches!(&event.kind, EventKind::UserChange(user, UserPart::Profile) if user.profile.title == "Cook")
    );
    assert_eq!(user(&world, BO).await.profile.title, "Cook");
    // What it is already is no news.
    assert!(world.run(set(BO, BO, title.clone())).await.events.is_empty());
    let named = ProfileChange { real_name: Some("Bo Diddley".to_owned()), ..ProfileChange::default() };
    assert!(
        matches!(world.ok(set(BO, ANN, named)).await, Done::User(user) if user.real_name == "Bo Diddley")
    );
    for (who, actor) in [(CY, BO), (ANN, BO)] {
        assert_eq!(world.run(set(who, actor, title.clone())).await.result, Err(Refusal::CannotChangeUser));
    }
    let nobody = model::UserId::from_raw(999);
    assert_eq!(world.run(set(nobody, ANN, title)).await.result, Err(Refusal::UserNotFound));
}

#[tokio::test]
async fn a_photo_is_told_to_everybody_and_the_one_before_is_to_be_taken_away() {
    let mut world = World::new().await;
    let photo = |name: &str| Photo { name: name.repeat(32), side: 512, format: model::Format::Png };
    let set = |user, photo, job| WriteKind::SetPhoto { user, photo, job: model::JobId::from_raw(job) };
    let outcome = world.run(set(BO, Some(photo("a")), 1)).await;
    let [event] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(event.topic.id, model::TopicId::Workspace(WS));
    let EventKind::UserChange(changed, UserPart::Profile) = &event.kind else { panic!("{event:?}") };
    assert_eq!(changed.profile.photo, Some(photo("a")));
    assert_eq!(user(&world, BO).await.profile.photo, Some(photo("a")));
    assert!(world.store.due_jobs(i64::MAX, 10).await.unwrap().is_empty(), "nothing was there before");
    // The same again is no news, and certainly takes nothing away.
    assert!(world.run(set(BO, Some(photo("a")), 2)).await.events.is_empty());
    // What people say of themselves stays, and what they look like when they say something else.
    world.ok(set_title(BO, "Cook")).await;
    world.ok(set(BO, Some(photo("b")), 3)).await;
    let known = user(&world, BO).await.profile;
    assert_eq!((known.title.as_str(), known.photo), ("Cook", Some(photo("b"))));
    world.ok(set(BO, None, 4)).await;
    assert_eq!(user(&world, BO).await.profile.photo, None);
    let due = world.store.due_jobs(i64::MAX, 10).await.unwrap();
    let photos: Vec<_> =
        due.iter().map(|job| (job.kind.as_str(), job.payload.contains(&"a".repeat(32)))).collect();
    assert_eq!(photos, [("delete_photo", true), ("delete_photo", false)]);
    let nobody = model::UserId::from_raw(999);
    assert_eq!(world.run(set(nobody, None, 5)).await.result, Err(Refusal::UserNotFound));
}

#[tokio::test]
async fn a_status_ends_when_its_time_is_over_and_only_then() {
    let mut world = World::new().await;
    world.ok(set(BO, BO, status("lunch", 5_000))).await;
    world.ok(set(BO, BO, status("dinner", 9_000))).await;
    // One job for each person: the newest.
    let due = world.store.due_jobs(i64::MAX, 10).await.unwrap();
    assert_eq!(due.iter().map(|job| job.run_at).collect::<Vec<_>>(), [9_000_000_000]);
    let ended = world.run(WriteKind::ExpireStatus { user: BO, expiration: 5_000 }).await;
    assert!(ended.events.is_empty(), "another status is shown meanwhile");
    let ended = world.run(WriteKind::ExpireStatus { user: BO, expiration: 9_000 }).await;
    assert!(matches!(&ended.events[0].kind, EventKind::UserChange(_, UserPart::Status)));
    assert!(user(&world, BO).await.profile.status.is_empty());
    let again = world.run(WriteKind::ExpireStatus { user: BO, expiration: 9_000 }).await;
    assert!(again.result.is_ok() && again.events.is_empty(), "a job that runs twice has one effect");
}

#[tokio::test]
async fn do_not_disturb_is_told_to_oneself_and_to_the_others() {
    let mut world = World::new().await;
    let dnd = Dnd { daily: true, snooze_until: 77, ..Dnd::default() };
    let outcome = world.run(WriteKind::SetDnd { user: BO, dnd }).await;
    let topics: Vec<_> = outcome.events.iter().map(|event| event.topic.id).collect();
    assert_eq!(topics, [model::TopicId::User(BO), model::TopicId::Workspace(WS)]);
    assert_eq!(user(&world, BO).await.dnd, dnd);
    assert!(world.run(WriteKind::SetDnd { user: BO, dnd }).await.events.is_empty());
}

#[tokio::test]
async fn who_is_away_by_hand_stays_so_and_their_devices_are_told() {
    let mut world = World::new().await;
    let set = |away| WriteKind::SetPresence { user: BO, away };
    assert!(world.run(set(false)).await.events.is_empty(), "nobody is away from the start");
    let outcome = world.run(set(true)).await;
    let [event] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(event.topic.id, model::TopicId::User(BO));
    assert_eq!(event.kind, EventKind::ManualPresence { away: true });
    assert!(user(&world, BO).await.manual_away);
    assert!(!user(&world, ANN).await.manual_away);
    assert!(world.run(set(true)).await.events.is_empty());
    // Another change of the person leaves it as it is.
    world.ok(WriteKind::SetDnd { user: BO, dnd: Dnd { snooze_until: 9, ..Dnd::default() } }).await;
    assert!(user(&world, BO).await.manual_away);
    // Who catches up gets it as it is by now.
    world.ok(set(false)).await;
    let before = model::Position { seq: event.position.seq.previous(), ..event.position };
    let page = world.store.events(event.topic, before, 10).await.unwrap();
    let store::EventsRead::Events { events, .. } = page else { panic!("{page:?}") };
    let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
    let now = EventKind::ManualPresence { away: false };
    assert_eq!((&kinds[0], kinds.last()), (&now, Some(&now)));
    let nobody = model::UserId::from_raw(999);
    let refused = world.run(WriteKind::SetPresence { user: nobody, away: true }).await;
    assert_eq!(refused.result, Err(Refusal::UserNotFound));
}

#[tokio::test]
async fn preferences_are_told_when_they_change() {
    let mut world = World::new().await;
    let values = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let set = |pairs| WriteKind::SetPreferences { user: BO, values: values(pairs) };
    let outcome = world.run(set(&[("time24", "true"), ("ui_theme", "\"dark\"")])).await;
    assert_eq!(outcome.events.len(), 2);
    let outcome = world.run(set(&[("time24", "true"), ("ui_theme", "\"light\"")])).await;
    let [event] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert!(
        matches!(&event.kind, EventKind::PreferenceChanged { name, value } if name == "ui_theme" && value == "\"light\"")
    );
    let expected = values(&[("time24", "true"), ("ui_theme", "\"light\"")]);
    assert_eq!(world.store.preferences(WS, BO).await.unwrap(), expected);
    assert_eq!(world.store.boot(WS, BO).await.unwrap().unwrap().preferences, expected);
    assert_eq!(world.store.preferences(WS, CY).await.unwrap(), []);
}
