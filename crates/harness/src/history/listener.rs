//! Whether one listener got every event of a channel, once, in order, and has what a snapshot has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::expect::Expectations;
use super::{Kind, Listener, Report, Seen, Snapshot};
use crate::view::{Change, Message, View};

pub(super) fn check_listener(
    listener: &Listener,
    channel: &str,
    end: &Snapshot,
    expected: &Expectations,
    identities: &mut BTreeMap<(String, u64), String>,
    report: &mut Report,
) {
    let Some(base) = listener.bases.get(channel) else { return };
    let mut walk = Walk {
        name: format!("{} in {channel}", listener.name),
        channel,
        position: base.seq,
        behind: false,
        view: View::new(base.messages.iter().cloned()),
        posted: base.messages.iter().map(|message| message.ts.clone()).collect(),
        newest_ts: String::new(),
        expected,
        end,
        there: end.messages.iter().map(|message| message.ts.as_str()).collect(),
        identities,
        report,
    };
    for observation in listener.seen.iter().filter(|observation| observation.channel == channel) {
        walk.step(&observation.seen);
    }
    walk.finish();
}

pub(super) struct Walk<'a> {
    name: String,
    channel: &'a str,
    position: u64,
    behind: bool,
    view: View,
    posted: BTreeSet<String>,
    newest_ts: String,
    expected: &'a Expectations,
    end: &'a Snapshot,
    there: BTreeSet<&'a str>,
    identities: &'a mut BTreeMap<(String, u64), String>,
    report: &'a mut Report,
}

impl Walk<'_> {
    fn step(&mut self, seen: &Seen) {
        match seen {
            Seen::Connected | Seen::Lost => {}
            Seen::Page { from, to, events } => self.page(*from, *to, events),
            Seen::Live(seq) => self.live(*seq),
            Seen::Event(seq, event) => {
                if self.advance(*seq) {
                    self.apply(*seq, event, true);
                }
            }
            Seen::Skip(seq) => {
                self.advance(*seq);
            }
            Seen::Head(seq) => self.behind |= *seq > self.position,
            Seen::Reset(seq) => {
                let what = format!("{} was at {} and got _reset {seq}", self.name, self.position);
                self.report.add(Kind::NotResumed, what);
                self.position = *seq;
            }
            Seen::Gone => self.report.add(Kind::NotResumed, format!("{} got _gone", self.name)),
        }
    }

    fn page(&mut self, from: u64, to: u64, events: &[(u64, Value)]) {
        if from < self.position {
            let what = format!("{} has {} and got a page from {from}", self.name, self.position);
            self.report.add(Kind::Doubled, what);
        }
        if from > self.position {
            let what = format!("{} has {} and got a page from {from}", self.name, self.position);
            self.report.add(Kind::Hole, what);
        }
        let mut last = from;
        for (seq, event) in events {
            if *seq <= last || *seq > to {
                let what = format!("{}: page {from}–{to} has {seq} after {last}", self.name);
                self.report.add(Kind::Swapped, what);
            }
            last = *seq;
            if *seq > self.position {
                self.apply(*seq, event, false);
            }
        }
        self.position = self.position.max(to);
        self.behind = false;
    }

    fn live(&mut self, seq: u64) {
        if seq > self.position {
            let what = format!("{} has {} and is told that it has {seq}", self.name, self.position);
            self.report.add(Kind::Hole, what);
        }
        if seq < self.position {
            let what = format!("{} has {}, the server only {seq}", self.name, self.position);
            self.report.add(Kind::ShownNotCommitted, what);
        }
        self.behind = false;
    }

    /// Whether the event at `seq` is the next one.
    fn advance(&mut self, seq: u64) -> bool {
        if seq <= self.position {
            let what = format!("{} has {} and got {seq} again", self.name, self.position);
            self.report.add(Kind::Doubled, what);
            return false;
        }
        if seq > self.position + 1 {
            if self.behind {
                return false;
            }
            let what = format!("{} has {} and got {seq}", self.name, self.position);
            self.report.add(Kind::Hole, what);
        }
        self.position = seq;
        true
    }

    fn apply(&mut self, seq: u64, event: &Value, live: bool) {
        let change = Change::parse(event);
        let identity = change.identity();
        let slot = self.identities.entry((self.channel.to_owned(), seq)).or_insert_with(|| identity.clone());
        if *slot != identity {
            let what = format!("{}: seq {seq} is {identity:?} here and was {slot:?} elsewhere", self.name);
            self.report.add(Kind::Swapped, what);
        }
        match &change {
            Change::Posted(message) => self.posted(seq, message, live),
            Change::Edited(message) if !self.posted.contains(&message.ts) => {
                let what = format!("{}: edit of {} at {seq} before the message", self.name, message.ts);
                self.report.add(Kind::Swapped, what);
            }
            Change::Edited(message) => self.content(message),
            Change::Deleted(_) | Change::Reacted(..) | Change::Unreacted(..) | Change::Other(_) => {}
        }
        // Changes of what a page left out because it is deleted by now do nothing.
        self.view.apply(&change);
    }

    fn posted(&mut self, seq: u64, message: &Message, live: bool) {
        if !self.posted.insert(message.ts.clone()) {
            self.report.add(Kind::Doubled, format!("{} got {} twice", self.name, message.ts));
        }
        if message.ts <= self.newest_ts {
            let what = format!("{}: {} at seq {seq} after {}", self.name, message.ts, self.newest_ts);
            self.report.add(Kind::Swapped, what);
        }
        self.newest_ts = self.newest_ts.clone().max(message.ts.clone());
        self.content(message);
        let there = self.there.contains(message.ts.as_str());
        let key = (self.channel.to_owned(), message.ts.clone());
        let deletion_asked = self.expected.messages.get(&key).is_some_and(|known| known.deletion_asked);
        if !there && !deletion_asked {
            let how = if live { "live" } else { "in a page" };
            let what = format!("{} was shown {} {how}, and it is not there", self.name, message.ts);
            self.report.add(Kind::ShownNotCommitted, what);
        }
    }

    fn content(&mut self, message: &Message) {
        let key = (self.channel.to_owned(), message.ts.clone());
        let Some(known) = self.expected.messages.get(&key) else { return };
        if !known.texts_ever.contains(&message.text) {
            let what = format!("{}: {} says {:?}", self.name, message.ts, message.text);
            self.report.add(Kind::WrongContent, what);
        }
    }

    fn finish(self) {
        if self.position != self.end.seq {
            let what = format!("{} ends at {}, the channel at {}", self.name, self.position, self.end.seq);
            self.report.add(Kind::Hole, what);
        }
        let end = View::new(self.end.messages.iter().cloned());
        let mine = &self.view.messages;
        for (ts, message) in &end.messages {
            match mine.get(ts) {
                None => self.report.add(Kind::StaleView, format!("{} misses {ts}", self.name)),
                Some(seen) if !seen.same(message) => {
                    let what = format!("{} has {seen:?}, a snapshot {message:?}", self.name);
                    self.report.add(Kind::StaleView, what);
                }
                Some(_) => {}
            }
        }
        for ts in mine.keys().filter(|ts| !end.messages.contains_key(*ts)) {
            self.report.add(Kind::StaleView, format!("{} still has {ts}", self.name));
        }
    }
}
