//! People who post, edit, delete, react, join, leave, remove and mark, repeat what got no answer, and record every
//! try.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use harness::history::{Action, Operation, Outcome};
use tokio::time::sleep;

use crate::{people::Client, people::key, random::Random, trace::Trace};

const REACTIONS: [&str; 4] = ["wave", "tada", "eyes", "heart"];
/// How many of one's own messages may still be edited or deleted.
const OWN_MAX: usize = 20;

/// Where people write.
#[derive(Clone)]
pub(crate) struct Places {
    /// Channels that everybody is in all the time.
    pub(crate) steady: Vec<String>,
    /// In each of them a message that stays, to reply and react to.
    pub(crate) roots: Vec<String>,
    /// A public channel that people join and leave.
    pub(crate) door: String,
}

/// What all senders share.
pub(crate) struct Load {
    /// The record.
    pub(crate) trace: Arc<Trace>,
    /// Every try.
    pub(crate) operations: RefCell<Vec<Operation>>,
    /// Nobody begins anything.
    pub(crate) idles: Cell<bool>,
    /// Operations that have not come to an end.
    pub(crate) busy: Cell<usize>,
    /// Set when it is enough.
    pub(crate) stop: Cell<bool>,
    /// Senders that have not come to an end.
    pub(crate) working: Cell<usize>,
}

/// One person who writes.
pub(crate) struct Sender {
    client: Client,
    owner: Client,
    places: Places,
    load: Rc<Load>,
    random: Random,
    own: Vec<(String, String)>,
    given: Vec<Vec<&'static str>>,
    inside: bool,
}

enum Answer {
    Done(String),
    /// Certainly not done, try again later.
    NotDone,
    Unknown,
    Refused(String),
}

impl Sender {
    /// Somebody, and the owner, who removes them now and then.
    pub(crate) fn new(client: Client, owner: Client, places: Places, load: Rc<Load>, seed: u64) -> Self {
        let random = Random::new(seed, &client.person.name);
        let given = vec![Vec::new(); places.steady.len()];
        // Who made it is in it, and stays.
        let inside = client.person.id == owner.person.id;
        Self { client, owner, places, load, random, own: Vec::new(), given, inside }
    }

    /// Works until told to stop; the last operation is brought to an end.
    pub(crate) async fn run(mut self) {
        let mut count = 0_u64;
        while !self.load.stop.get() {
            let pause = self.random.millis(5, 150);
            sleep(pause).await;
            if self.load.idles.get() {
                continue;
            }
            count += 1;
            self.load.busy.set(self.load.busy.get() + 1);
            match self.random.below(100) {
                0..50 => self.post(count).await,
                50..62 => self.edit(count).await,
                62..68 => self.delete().await,
                68..82 => self.react().await,
                82..92 => self.pass_the_door(count).await,
                _ => self.mark().await,
            }
            self.load.busy.set(self.load.busy.get() - 1);
        }
        self.load.working.set(self.load.working.get() - 1);
    }

    async fn post(&mut self, count: u64) {
        let place = self.random.below(self.places.steady.len());
        let Some(channel) = self.places.steady.get(place).cloned() else { return };
        let thread_ts = self.random.permille(100).then(|| self.places.roots.get(place).cloned()).flatten();
        let text = format!("{} says {count}", self.client.person.name);
        let action = Action::Post { key: key(&mut self.random), text, thread_ts };
        if let Some(ts) = self.until_known(&channel, action).await {
            self.own.push((channel, ts));
            if self.own.len() > OWN_MAX {
                self.own.remove(0);
            }
        }
    }

    async fn edit(&mut self, count: u64) {
        let Some((channel, ts)) = self.random.pick(&self.own).cloned() else { return };
        let text = format!("{} corrects {count}", self.client.person.name);
        self.until_known(&channel, Action::Edit { ts, text }).await;
    }

    async fn delete(&mut self) {
        if self.own.is_empty() {
            return;
        }
        let (channel, ts) = self.own.remove(self.random.below(self.own.len()));
        self.until_known(&channel, Action::Delete { ts }).await;
    }

    async fn react(&mut self) {
        let place = self.random.below(self.places.steady.len());
        let Some(name) = self.random.pick(&REACTIONS).copied() else { return };
        let (Some(channel), Some(ts), Some(given)) =
            (self.places.steady.get(place), self.places.roots.get(place), self.given.get_mut(place))
        else {
            return;
        };
        let added = !given.contains(&name);
        if added {
            given.push(name);
        } else {
            given.retain(|other| *other != name);
        }
        let action = Action::React { ts: ts.clone(), name: name.to_owned(), added };
        let channel = channel.clone();
        self.until_known(&channel, action).await;
    }

    /// Joins, posts, leaves or is removed. What is refused here is no surprise.
    async fn pass_the_door(&mut self, count: u64) {
        let door = self.places.door.clone();
        if !self.inside {
            self.inside =
                self.until_done(&self.client.clone(), "conversations.join", &[("channel", &door)]).await;
        } else if self.client.person.id == self.owner.person.id || self.random.permille(600) {
            let text = format!("{} at the door {count}", self.client.person.name);
            let action = Action::Post { key: key(&mut self.random), text, thread_ts: None };
            self.until_known(&door, action).await;
        } else if self.random.permille(500) {
            self.until_done(&self.client.clone(), "conversations.leave", &[("channel", &door)]).await;
            self.inside = false;
        } else {
            let user = self.client.person.id.to_string();
            let arguments = [("channel", door.as_str()), ("user", user.as_str())];
            self.until_done(&self.owner.clone(), "conversations.kick", &arguments).await;
            self.inside = false;
        }
    }

    async fn mark(&mut self) {
        if let Some((channel, ts)) = self.own.last().cloned() {
            // A mark that is lost is repeated by the next one.
            self.client.call("conversations.mark", &[("channel", &channel), ("ts", &ts)]).await;
        }
    }

    /// Repeats a call that has its effect once however often it is done; whether it is done.
    async fn until_done(&mut self, client: &Client, method: &str, arguments: &[(&str, &str)]) -> bool {
        loop {
            let answer = client.call(method, arguments).await;
            let error = answer.as_ref().map(|answer| answer["error"].as_str().unwrap_or_default().to_owned());
            self.load.trace.note(
                &client.person.name,
                method,
                match &error {
                    None => "no answer",
                    Some(error) if error.is_empty() => "ok",
                    Some(error) => error.as_str(),
                },
            );
            match error.as_deref() {
                Some("" | "not_in_channel" | "already_in_channel") => return true,
                Some("service_unavailable" | "request_timeout" | "internal_error" | "fatal_error") | None => {
                }
                Some(other) => {
                    self.load.trace.violation(format_args!("{method} was refused with {other}"));
                    return false;
                }
            }
            let pause = self.random.millis(20, 150);
            sleep(pause).await;
        }
    }

    /// Repeats the same request until its outcome is known; the `ts` of what was done. A post that was certainly
    /// not done is given up now and then: it must not appear later.
    async fn until_known(&mut self, channel: &str, action: Action) -> Option<String> {
        let mut unknown = false;
        loop {
            let started = self.load.trace.now_us();
            let answer = self.attempt(channel, &action, unknown).await;
            let ended = self.load.trace.now_us();
            let gives_up = !unknown && matches!(action, Action::Post { .. }) && self.random.permille(250);
            let (outcome, end) = match answer {
                Answer::Done(ts) => (Outcome::Done(ts.clone()), Some(Some(ts))),
                Answer::Refused(error) => (Outcome::Refused(error), Some(None)),
                Answer::NotDone if gives_up => (Outcome::Refused("given up".to_owned()), Some(None)),
                Answer::NotDone | Answer::Unknown => (Outcome::Unknown, None),
            };
            self.load.trace.note(
                &self.client.person.name,
                short(&action),
                format_args!("{channel} {action:?} {outcome:?}"),
            );
            self.load.operations.borrow_mut().push(Operation {
                channel: channel.to_owned(),
                author: self.client.person.id.to_string(),
                action: action.clone(),
                started,
                ended,
                outcome,
            });
            if let Some(end) = end {
                return end;
            }
            unknown = true;
            let pause = self.random.millis(0, 150);
            sleep(pause).await;
        }
    }

    async fn attempt(&self, channel: &str, action: &Action, repeated: bool) -> Answer {
        let (method, mut arguments) = action.call();
        arguments.push(("channel", channel));
        let Some(answer) = self.client.call(method, &arguments).await else { return Answer::Unknown };
        if answer["ok"] == true {
            return Answer::Done(answer["ts"].as_str().unwrap_or_default().to_owned());
        }
        match answer["error"].as_str().unwrap_or_default() {
            "service_unavailable" | "ratelimited" => Answer::NotDone,
            "request_timeout" | "internal_error" | "fatal_error" => Answer::Unknown,
            // The try before this one did it.
            "message_not_found" | "already_reacted" | "no_reaction" if repeated => {
                Answer::Done(String::new())
            }
            error => {
                // Whoever was removed meanwhile may hear that, and nobody else may hear of anything.
                if channel != self.places.door || error != "not_in_channel" {
                    self.load.trace.violation(format_args!("{action:?} was refused with {error}"));
                }
                Answer::Refused(error.to_owned())
            }
        }
    }
}

fn short(action: &Action) -> &'static str {
    match action {
        Action::Post { .. } => "post",
        Action::Edit { .. } => "edit",
        Action::Delete { .. } => "delete",
        Action::React { .. } => "react",
    }
}
