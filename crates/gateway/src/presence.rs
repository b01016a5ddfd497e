//! What a loop has of people's presence: those with sessions here, as presence servers must know them, and those
//! whom sessions here watch, as presence servers told.
//!
//! A plain struct without clock, task or socket. What must be told is collected in sets, so that it is told as it
//! is when its turn comes; what was not taken goes back. Everything is told again from time to time
//! ([`Presence::renew`]), so that a server that was wiped learns it and one that took another's place hears of
//! everybody.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use model::Epoch;
use rpc::{ManualAway, Person, PresenceChange, PresenceReport, Reply, Watch};

use crate::arena::Index;

/// Pairs of a session and somebody whom it watches, per loop: about 60 MiB. Full: `presence_sub` is refused.
pub const WATCHES_MAX: usize = 2_000_000;

/// A person with sessions here.
#[derive(Debug)]
struct Own {
    sessions: u32,
    always: bool,
    manual: ManualAway,
    /// When they last did something here, milliseconds of the loop's time.
    activity_ms: u64,
    /// What of that was told last.
    told_activity_ms: u64,
    /// Revision of the last report.
    revision: u64,
}

/// A person whom sessions here watch.
#[derive(Debug, Default)]
struct Watched {
    /// How they are, and how new that is.
    known: Option<(bool, Epoch, u64)>,
    sessions: HashSet<Index>,
}

/// What presence servers must be told now.
#[derive(Debug, Default)]
pub struct Due {
    /// Of people with sessions here.
    pub reports: Vec<PresenceReport>,
    /// People to be told of.
    pub watches: Vec<Watch>,
    /// People not to be told of any more.
    pub leaving: Vec<Person>,
}

impl Due {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.watches.is_empty() && self.leaving.is_empty()
    }
}

/// Too many are watched already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// See the module.
#[derive(Debug)]
pub struct Presence {
    /// Activity is told at once if none was told for this long, and otherwise after it, milliseconds.
    activity_every_ms: u64,
    own: HashMap<Person, Own>,
    watched: HashMap<Person, Watched>,
    pairs: usize,
    pairs_max: usize,
    due_reports: HashSet<Person>,
    due_watches: HashSet<Person>,
    leaving: HashSet<Person>,
    revision: u64,
}

impl Presence {
    /// Knows nobody. Activity is told once in `activity_every_ms`: a small part of the time after which who does
    /// nothing is away.
    #[must_use]
    pub fn new(activity_every_ms: u64, pairs_max: usize) -> Self {
        Self {
            activity_every_ms,
            own: HashMap::new(),
            watched: HashMap::new(),
            pairs: 0,
            pairs_max,
            due_reports: HashSet::new(),
            due_watches: HashSet::new(),
            leaving: HashSet::new(),
            revision: 0,
        }
    }

    /// A session of the person has started: that is activity. `always`: nobody has to do anything on it.
    pub fn connected(&mut self, person: Person, always: bool, manual: ManualAway, now_ms: u64) {
        let own = self.own.entry(person).or_insert(Own {
            sessions: 0,
            always,
            manual,
            activity_ms: now_ms,
            told_activity_ms: 0,
            revision: 0,
        });
        own.sessions = own.sessions.saturating_add(1);
        own.activity_ms = now_ms;
        if own.manual.seq <= manual.seq {
            own.manual = manual;
        }
        self.due_reports.insert(person);
    }

    /// A session of the person is over.
    pub fn disconnected(&mut self, person: Person) {
        if let Some(own) = self.own.get_mut(&person) {
            own.sessions = own.sessions.saturating_sub(1);
            self.due_reports.insert(person);
        }
    }

    /// The person did something.
    pub fn active(&mut self, person: Person, now_ms: u64) {
        if let Some(own) = self.own.get_mut(&person) {
            own.activity_ms = now_ms;
            if now_ms.saturating_sub(own.told_activity_ms) >= self.activity_every_ms {
                self.due_reports.insert(person);
            }
        }
    }

    /// The person's own topic says whether they have said that they are away.
    pub fn said(&mut self, person: Person, manual: ManualAway) {
        if let Some(own) = self.own.get_mut(&person)
            && own.manual.seq < manual.seq
        {
            own.manual = manual;
            self.due_reports.insert(person);
        }
    }

    /// Lets time pass: activity that was not told becomes due.
    pub fn tick(&mut self, now_ms: u64) {
        for (person, own) in &self.own {
            let untold = own.activity_ms > own.told_activity_ms;
            if untold && now_ms.saturating_sub(own.told_activity_ms) >= self.activity_every_ms {
                self.due_reports.insert(*person);
            }
        }
    }

    /// A session watches a person. How they are, as far as that is known.
    ///
    /// # Errors
    /// [`Full`].
    pub fn watch(&mut self, session: Index, person: Person) -> Result<Option<bool>, Full> {
        if self.pairs >= self.pairs_max {
            return Err(Full);
        }
        let watched = self.watched.entry(person).or_insert_with(|| {
            self.due_watches.insert(person);
            self.leaving.remove(&person);
            Watched::default()
        });
        self.pairs += usize::from(watched.sessions.insert(session));
        Ok(watched.known.map(|(active, ..)| active))
    }

    /// A session watches a person no more.
    pub fn unwatch(&mut self, session: Index, person: Person) {
        let Some(watched) = self.watched.get_mut(&person) else { return };
        self.pairs -= usize::from(watched.sessions.remove(&session));
        if watched.sessions.is_empty() {
            self.watched.remove(&person);
            self.due_watches.remove(&person);
            self.leaving.insert(person);
        }
    }

    /// Takes what a presence server told at `epoch` of its ring. The sessions to be told, if it is news.
    pub fn take(&mut self, epoch: Epoch, change: PresenceChange) -> Option<&HashSet<Index>> {
        let watched = self.watched.get_mut(&change.person)?;
        let before = watched.known;
        if before.is_some_and(|(_, at, version)| (epoch, change.version) < (at, version)) {
            return None;
        }
        watched.known = Some((change.active, epoch, change.version));
        let news = before.is_none_or(|(active, ..)| active != change.active);
        news.then_some(&watched.sessions)
    }

    /// How a watched person is, as far as that is known.
    #[must_use]
    pub fn known(&self, person: Person) -> Option<bool> {
        self.watched.get(&person)?.known.map(|(active, ..)| active)
    }

    /// Everything becomes due.
    pub fn renew(&mut self) {
        self.moved(|_| true);
    }

    /// The people for whom `has_moved` holds have another presence server: it must be told of them.
    pub fn moved(&mut self, has_moved: impl Fn(Person) -> bool) {
        self.due_reports.extend(self.own.keys().filter(|person| has_moved(**person)));
        self.due_watches.extend(self.watched.keys().filter(|person| has_moved(**person)));
    }

    /// Whether something must be told.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !(self.due_reports.is_empty() && self.due_watches.is_empty() && self.leaving.is_empty())
    }

    /// Takes what must be told, at most `most` of each kind; answer with [`Presence::answered`].
    pub fn take_due(&mut self, most: usize, now_ms: u64) -> Due {
        let mut due = Due::default();
        for person in take_some(&mut self.due_reports, most) {
            let Some(own) = self.own.get_mut(&person) else { continue };
            self.revision += 1;
            own.revision = self.revision;
            own.told_activity_ms = own.activity_ms;
            due.reports.push(PresenceReport {
                person,
                revision: self.revision,
                sessions: own.sessions,
                idle: Duration::from_millis(now_ms.saturating_sub(own.activity_ms)),
                always: own.always,
                manual: own.manual,
            });
        }
        for person in take_some(&mut self.due_watches, most) {
            if let Some(watched) = self.watched.get(&person) {
                due.watches.push(Watch { person, believes: watched.known.map(|(active, ..)| active) });
            }
        }
        due.leaving = take_some(&mut self.leaving, most);
        due
    }

    /// What presence servers said to reports and watches. What they did not take is due again. That somebody is
    /// not watched any more is told once: if it is lost, they find out by themselves.
    pub fn answered(&mut self, due: &Due, reports: &[Reply], watches: &[Reply]) -> usize {
        let mut failed = 0;
        let taken = |replies: &[Reply], place: usize| replies.get(place) == Some(&Reply::Ok);
        for (place, report) in due.reports.iter().enumerate() {
            if !taken(reports, place) {
                failed += 1;
                self.due_reports.insert(report.person);
            } else if report.sessions == 0
                && self.own.get(&report.person).is_some_and(|own| own.revision == report.revision)
                && !self.due_reports.contains(&report.person)
            {
                self.own.remove(&report.person);
            }
        }
        for (place, watch) in due.watches.iter().enumerate() {
            if !taken(watches, place) && self.watched.contains_key(&watch.person) {
                failed += 1;
                self.due_watches.insert(watch.person);
            }
        }
        failed
    }

    /// Pairs of a session and somebody whom it watches.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs
    }
}

/// Takes some of a set.
fn take_some(set: &mut HashSet<Person>, most: usize) -> Vec<Person> {
    let some: Vec<Person> = set.iter().take(most).copied().collect();
    for person in &some {
        set.remove(person);
    }
    if set.is_empty() {
        // It is small nearly always, and large when everything was renewed.
        set.shrink_to(64);
    }
    some
}

#[cfg(test)]
mod tests {
    use model::{Seq, UserId, WorkspaceId};

    use super::*;

    fn person(number: u64) -> Person {
        Person { workspace: WorkspaceId::from_random(1), user: UserId::from_random(number) }
    }

    fn said(seq: u64, away: bool) -> ManualAway {
        ManualAway { seq: Seq::new(seq), away }
    }

    fn change(number: u64, active: bool, version: u64) -> PresenceChange {
        PresenceChange { person: person(number), active, version }
    }

    fn presence() -> Presence {
        Presence::new(30_000, 4)
    }

    /// What is due, all of it taken.
    fn told(presence: &mut Presence, now_ms: u64) -> Due {
        let due = presence.take_due(usize::MAX, now_ms);
        let ok = |count| vec![Reply::Ok; count];
        assert_eq!(presence.answered(&due, &ok(due.reports.len()), &ok(due.watches.len())), 0);
        due
    }

    #[test]
    fn activity_is_told_at_once_after_a_pause_and_otherwise_once_in_a_while() {
        let mut presence = presence();
        presence.connected(person(1), false, said(3, false), 1_000);
        assert_eq!(told(&mut presence, 1_000).reports.len(), 1);
        for (now_ms, tick, reports) in [
            (2_000, false, 0),
            (30_999, true, 0),
            // What was done at 30,999 is told when its time has come.
            (31_000, true, 1),
            (31_500, false, 0),
            // Ten minutes later: at once.
            (631_500, false, 1),
        ] {
            if !tick {
                presence.active(person(1), now_ms);
            } else if now_ms == 30_999 {
                presence.active(person(1), now_ms);
                presence.tick(now_ms);
            } else {
                presence.tick(now_ms);
            }
            assert_eq!(told(&mut presence, now_ms).reports.len(), reports, "{now_ms}");
        }
        presence.active(person(2), 700_000);
        assert!(!presence.is_due(), "nobody is active without a session");
    }

    #[test]
    fn reports_say_all_and_who_is_gone_is_forgotten_when_that_was_taken() {
        let mut presence = presence();
        presence.connected(person(1), false, said(3, false), 1_000);
        presence.connected(person(1), false, said(2, true), 5_000);
        let due = presence.take_due(10, 6_000);
        let [report] = due.reports.as_slice() else { panic!("{due:?}") };
        assert_eq!(
            (report.sessions, report.idle, report.manual),
            (2, Duration::from_secs(1), said(3, false))
        );
        let failed = presence.answered(&due, &[Reply::NotOwner { epoch: Epoch(2) }], &[]);
        assert_eq!((failed, presence.is_due()), (1, true));
        presence.disconnected(person(1));
        presence.disconnected(person(1));
        let due = presence.take_due(10, 7_000);
        assert_eq!(due.reports[0].sessions, 0);
        assert!(due.reports[0].revision > report.revision);
        // They come back before the answer.
        presence.connected(person(1), false, said(3, false), 8_000);
        presence.answered(&due, &[Reply::Ok], &[]);
        assert_eq!(told(&mut presence, 8_000).reports[0].sessions, 1);
        presence.disconnected(person(1));
        told(&mut presence, 9_000);
        presence.renew();
        assert!(!presence.is_due(), "nobody is left");
    }

    #[test]
    fn of_what_somebody_says_the_newest_is_told() {
        let mut presence = presence();
        presence.connected(person(1), true, said(5, true), 0);
        assert!(told(&mut presence, 0).reports[0].always);
        presence.said(person(1), said(5, false));
        presence.said(person(1), said(4, false));
        presence.said(person(2), said(9, true));
        assert!(!presence.is_due());
        presence.said(person(1), said(6, false));
        assert_eq!(told(&mut presence, 0).reports[0].manual, said(6, false));
    }

    #[test]
    fn sessions_share_a_watch_and_only_news_is_passed_on() {
        let mut presence = presence();
        assert_eq!(presence.watch(7, person(1)), Ok(None));
        assert_eq!(presence.watch(8, person(1)), Ok(None));
        assert_eq!(told(&mut presence, 0).watches, [Watch { person: person(1), believes: None }]);
        let sessions = presence.take(Epoch(1), change(1, true, 5)).cloned();
        assert_eq!(sessions, Some(HashSet::from([7, 8])));
        assert_eq!(presence.watch(9, person(1)), Ok(Some(true)));
        assert!(!presence.is_due());
        for (epoch, change, news) in [
            (1, change(1, true, 5), false),
            (1, change(1, false, 4), false),
            (1, change(1, false, 6), true),
            // Another server counts from the start, at a later epoch.
            (2, change(1, true, 1), true),
            (1, change(1, false, 7), false),
            (2, change(2, true, 9), false),
        ] {
            assert_eq!(presence.take(Epoch(epoch), change).is_some(), news, "{epoch} {change:?}");
        }
        assert_eq!(presence.known(person(1)), Some(true));
        presence.moved(|moved| moved == person(1));
        assert_eq!(told(&mut presence, 0).watches, [Watch { person: person(1), believes: Some(true) }]);
        for session in [7, 8, 9] {
            assert!(!presence.is_due());
            presence.unwatch(session, person(1));
        }
        assert_eq!(told(&mut presence, 0).leaving, [person(1)]);
        assert_eq!((presence.pairs(), presence.known(person(1))), (0, None));
    }

    #[test]
    fn what_is_watched_has_a_bound() {
        let mut presence = presence();
        for session in 0..4 {
            assert_eq!(presence.watch(session, person(1)), Ok(None));
        }
        assert_eq!(presence.watch(4, person(1)), Err(Full));
        assert_eq!(presence.watch(4, person(2)), Err(Full));
        presence.unwatch(0, person(1));
        presence.unwatch(0, person(1));
        assert_eq!(presence.watch(4, person(2)), Ok(None));
        assert_eq!(presence.pairs(), 4);
        // Back before anybody was told that it left.
        presence.unwatch(4, person(2));
        assert_eq!(presence.watch(5, person(2)), Ok(None));
        let due = told(&mut presence, 0);
        assert_eq!((due.watches.len(), due.leaving.len()), (2, 0));
    }
}
