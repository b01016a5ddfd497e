//! The state by tables: what makes somebody active, who is told, what lapses, what is refused.

use std::time::Duration;

use model::{NodeId, Seq, UserId, WorkspaceId};
use presence::state::{GatewayKey, Limits, State};
use rpc::{ManualAway, Person, PresenceReport, Refusal, Reply, Watch};

const LIMITS: Limits = Limits {
    away_after_ms: 10_000,
    lease_ms: 60_000,
    settle_ms: 1_000,
    people_max: 100,
    watches_max: 100,
    gateways_max: 4,
};

fn person(number: u64) -> Person {
    Person { workspace: WorkspaceId::from_random(1), user: UserId::from_random(number) }
}

fn node(name: &str, incarnation: u64) -> NodeId {
    NodeId { name: name.to_owned(), incarnation }
}

/// A report of one session that was active just now.
fn report(number: u64, revision: u64) -> PresenceReport {
    PresenceReport {
        person: person(number),
        revision,
        sessions: 1,
        idle: Duration::ZERO,
        always: false,
        manual: ManualAway::default(),
    }
}

/// A settled server with two gateways, at 2,000 ms.
fn settled() -> (State, GatewayKey, GatewayKey) {
    let mut state = State::new(LIMITS, 0);
    let a = state.gateway(&node("a", 1), 0).unwrap();
    let b = state.gateway(&node("b", 1), 0).unwrap();
    (state, a, b)
}

const NOW: u64 = 2_000;

fn active(state: &State, number: u64, now_ms: u64) -> bool {
    state.query(person(number), now_ms).unwrap().active
}

/// What a gateway is told: numbers below are of people 1, 2, ….
fn told(state: &mut State, key: GatewayKey, now_ms: u64) -> Vec<(UserId, bool)> {
    let mut changes: Vec<_> = state
        .take_changes(key, usize::MAX, now_ms)
        .into_iter()
        .map(|it| (it.person.user, it.active))
        .collect();
    changes.sort();
    changes
}

#[test]
fn active_on_any_device_is_active() {
    let (mut state, a, b) = settled();
    assert!(!active(&state, 1, NOW));
    state.report(a, report(1, 1), NOW);
    state.report(b, PresenceReport { idle: Duration::from_secs(60), ..report(1, 1) }, NOW);
    assert!(active(&state, 1, NOW));
    let now = state.query(person(1), NOW + 3_000).unwrap();
    assert_eq!((now.sessions, now.on_device, now.idle), (2, true, Some(Duration::from_secs(3))));
    // The active device goes, the idle one stays.
    state.report(a, PresenceReport { sessions: 0, ..report(1, 2) }, NOW + 4_000);
    let now = state.query(person(1), NOW + 4_000).unwrap();
    assert_eq!((now.active, now.sessions, now.on_device), (false, 1, false));
    state.report(b, report(1, 2), NOW + 5_000);
    assert!(active(&state, 1, NOW + 5_000));
}

#[test]
fn who_does_nothing_becomes_away_when_the_time_is_over_and_not_before() {
    let (mut state, a, b) = settled();
    state.watch(b, Watch { person: person(1), believes: None }, NOW);
    state.report(a, report(1, 1), NOW);
    assert_eq!(told(&mut state, b, NOW), [(person(1).user, true)]);
    let at = state.next_tick_ms().unwrap();
    assert_eq!(at, NOW + 10_000);
    state.tick(at - 1);
    assert_eq!(told(&mut state, b, at - 1), []);
    state.tick(at);
    assert_eq!(told(&mut state, b, at), [(person(1).user, false)]);
    assert!(!active(&state, 1, at));
    // A bot has nothing to do.
    state.report(a, PresenceReport { always: true, ..report(1, 2) }, at);
    state.tick(at + 30_000);
    assert!(active(&state, 1, at + 30_000));
    assert_eq!(told(&mut state, b, at), [(person(1).user, true)]);
}

#[test]
fn what_somebody_says_wins_over_what_they_do_and_the_newest_word_holds() {
    let (mut state, a, b) = settled();
    let said = |seq, away| ManualAway { seq: Seq::new(seq), away };
    state.report(a, PresenceReport { manual: said(5, true), ..report(1, 1) }, NOW);
    let now = state.query(person(1), NOW).unwrap();
    assert_eq!((now.active, now.on_device), (false, true));
    // Another gateway has not heard of it yet.
    state.report(b, PresenceReport { manual: said(4, false), ..report(1, 1) }, NOW);
    assert!(!active(&state, 1, NOW));
    state.report(b, PresenceReport { manual: said(6, false), ..report(1, 2) }, NOW);
    assert!(active(&state, 1, NOW));
    // An older report that comes late brings an older word.
    state.report(a, PresenceReport { manual: said(5, true), ..report(1, 2) }, NOW);
    assert!(active(&state, 1, NOW));
}

#[test]
fn only_who_watches_is_told_and_only_of_what_they_do_not_believe() {
    let (mut state, a, b) = settled();
    for number in 1..=3 {
        state.report(a, report(number, number), NOW);
    }
    assert_eq!(told(&mut state, a, NOW), []);
    state.watch(b, Watch { person: person(1), believes: None }, NOW);
    state.watch(b, Watch { person: person(2), believes: Some(true) }, NOW);
    state.watch(b, Watch { person: person(9), believes: None }, NOW);
    assert_eq!(told(&mut state, b, NOW), [(person(1).user, true), (person(9).user, false)]);
    assert_eq!(told(&mut state, a, NOW), []);
    // A moment is not told.
    state.report(a, PresenceReport { sessions: 0, ..report(1, 8) }, NOW);
    state.report(a, report(1, 9), NOW);
    assert_eq!(told(&mut state, b, NOW), []);
    state.unwatch(b, person(1), NOW);
    state.report(a, PresenceReport { sessions: 0, ..report(1, 10) }, NOW);
    state.report(a, PresenceReport { sessions: 0, ..report(2, 10) }, NOW);
    assert_eq!(told(&mut state, b, NOW), [(person(2).user, false)]);
}

#[test]
fn what_did_not_arrive_is_told_again_as_it_is_by_then() {
    let (mut state, a, b) = settled();
    state.watch(b, Watch { person: person(1), believes: None }, NOW);
    state.report(a, report(1, 1), NOW);
    let lost = state.take_changes(b, 10, NOW);
    state.report(a, PresenceReport { sessions: 0, ..report(1, 2) }, NOW);
    state.not_delivered(b, &lost);
    let again = state.take_changes(b, 10, NOW);
    assert_eq!(again.iter().map(|it| it.active).collect::<Vec<_>>(), [false]);
    assert!(again[0].version > lost[0].version, "the gateway can tell which is newer");
    // It renews with what it believed before that arrived: told once more rather than not at all.
    state.watch(b, Watch { person: person(1), believes: Some(true) }, NOW);
    assert_eq!(told(&mut state, b, NOW), [(person(1).user, false)]);
    state.watch(b, Watch { person: person(1), believes: Some(false) }, NOW);
    assert_eq!(told(&mut state, b, NOW), []);
}

#[test]
fn late_and_doubled_reports_change_nothing() {
    let (mut state, a, _) = settled();
    state.report(a, report(1, 2), NOW);
    state.report(a, PresenceReport { sessions: 0, ..report(1, 3) }, NOW);
    for revision in [1, 2, 3] {
        state.report(a, report(1, revision), NOW);
        assert!(!active(&state, 1, NOW), "{revision}");
    }
    state.report(a, report(1, 4), NOW);
    assert!(active(&state, 1, NOW));
}

#[test]
fn what_is_not_told_again_lapses() {
    let (mut state, a, b) = settled();
    state.report(a, PresenceReport { always: true, ..report(1, 1) }, NOW);
    state.watch(b, Watch { person: person(1), believes: Some(true) }, NOW + 30_000);
    state.tick(NOW + 60_000);
    assert_eq!(told(&mut state, b, NOW + 60_000), [(person(1).user, false)]);
    assert_eq!(state.take_counts().watches, 1);
    state.tick(NOW + 90_000);
    let counts = state.take_counts();
    assert_eq!((counts.people, counts.watches), (0, 0));
    assert_eq!(state.next_tick_ms(), None);
}

#[test]
fn a_gateway_that_is_gone_takes_everything_with_it_and_a_restarted_one_starts_anew() {
    let (mut state, a, b) = settled();
    state.report(a, report(1, 7), NOW);
    state.watch(b, Watch { person: person(1), believes: None }, NOW);
    told(&mut state, b, NOW);
    let again = state.gateway(&node("a", 2), NOW).unwrap();
    assert_ne!(again, a);
    assert_eq!(told(&mut state, b, NOW), [(person(1).user, false)]);
    assert_eq!(state.gateway(&node("a", 1), NOW), Err(Refusal::Unknown), "it is outlived");
    state.report(again, report(1, 1), NOW);
    assert_eq!(told(&mut state, b, NOW), [(person(1).user, true)]);
    state.remove_gateway(b, NOW);
    assert_eq!(state.take_counts().watches, 0);
    state.remove_gateway(again, NOW);
    assert_eq!(state.take_counts().people, 0);
}

#[test]
fn a_new_server_calls_nobody_away_before_gateways_had_time() {
    let mut state = State::new(LIMITS, 0);
    let a = state.gateway(&node("a", 1), 0).unwrap();
    state.watch(a, Watch { person: person(1), believes: Some(true) }, 10);
    state.watch(a, Watch { person: person(2), believes: Some(true) }, 10);
    assert_eq!(told(&mut state, a, 20), []);
    assert_eq!(state.query(person(1), 20), None);
    state.report(a, report(1, 1), 30);
    assert!(state.query(person(1), 40).unwrap().active);
    let after = told(&mut state, a, 1_000);
    assert!(after.contains(&(person(2).user, false)) && !after.contains(&(person(1).user, false)));
    assert!(!state.query(person(2), 1_000).unwrap().active);
}

#[test]
fn a_touch_ends_being_away_on_a_device_and_makes_nobody_connected() {
    let (mut state, a, _) = settled();
    state.touch(person(1), NOW);
    assert!(!active(&state, 1, NOW));
    state.report(a, PresenceReport { idle: Duration::from_secs(60), ..report(1, 1) }, NOW);
    assert!(!active(&state, 1, NOW));
    state.touch(person(1), NOW + 1);
    assert!(active(&state, 1, NOW + 1));
    // The gateway's renewal does not know of it.
    state.report(a, PresenceReport { idle: Duration::from_secs(61), ..report(1, 2) }, NOW + 1_000);
    assert!(active(&state, 1, NOW + 1_000));
    state.tick(NOW + 10_001);
    assert!(!active(&state, 1, NOW + 10_001));
}

#[test]
fn every_table_has_a_bound() {
    let limits = Limits { people_max: 2, watches_max: 1, gateways_max: 2, ..LIMITS };
    let mut state = State::new(limits, 0);
    let a = state.gateway(&node("a", 1), 0).unwrap();
    let b = state.gateway(&node("b", 1), 0).unwrap();
    assert_eq!(state.gateway(&node("c", 1), 0), Err(Refusal::Full));
    assert_eq!(state.report(a, report(1, 1), 0), Reply::Ok);
    assert_eq!(state.watch(a, Watch { person: person(2), believes: None }, 0), Reply::Ok);
    assert_eq!(state.report(a, report(3, 3), 0), Reply::Refused(Refusal::Full));
    let full = Reply::Refused(Refusal::Full);
    assert_eq!(state.watch(b, Watch { person: person(1), believes: None }, 0), full);
    assert_eq!(state.watch(a, Watch { person: person(1), believes: None }, 0), full);
    // What is known may be renewed.
    assert_eq!(state.watch(a, Watch { person: person(2), believes: None }, 0), Reply::Ok);
    assert_eq!(state.report(a, report(1, 2), 0), Reply::Ok);
    let counts = state.take_counts();
    assert_eq!((counts.people, counts.watches, counts.refused), (2, 1, 3));
    // That somebody is not there needs no room.
    assert_eq!(state.report(a, PresenceReport { sessions: 0, ..report(9, 4) }, 0), Reply::Ok);
    state.unwatch(a, person(2), 0);
    assert_eq!(state.watch(b, Watch { person: person(1), believes: None }, 0), Reply::Ok);
}
