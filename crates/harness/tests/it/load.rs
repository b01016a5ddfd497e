//! Senders that post, edit, delete and react, repeat what got no answer, and record every try.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use harness::history::{Action, Micros, Operation, Outcome};
use harness::http::Api;
use harness::listener::Stopwatch;
use harness::sandbox::{Member, Sandbox};
use tokio::sync::watch;

/// How long a sender waits before it repeats what was not done: an honest client does not hammer.
const REPEAT_AFTER: Duration = Duration::from_millis(20);

/// What all senders share.
#[derive(Clone)]
pub(crate) struct Load {
    /// The clock of the recording.
    pub(crate) clock: Stopwatch,
    /// Set when it is enough.
    pub(crate) stop: watch::Receiver<bool>,
    /// Every try.
    pub(crate) operations: Arc<Mutex<Vec<Operation>>>,
    /// Requests that are out and not answered.
    pub(crate) in_flight: Arc<AtomicUsize>,
    /// Operations that got no answer and were not yet repeated with one.
    pub(crate) unresolved: Arc<AtomicUsize>,
    /// How often each error was answered; `no answer` for a connection that broke or was silent.
    pub(crate) answers: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Every different answer that was an error, whole.
    pub(crate) errors: Arc<Mutex<BTreeSet<String>>>,
}

impl Load {
    /// Each error that was answered so far, and how often.
    pub(crate) fn answers(&self) -> BTreeMap<String, usize> {
        self.answers.lock().unwrap().clone()
    }

    /// How often an error was answered so far.
    pub(crate) fn answered(&self, error: &str) -> usize {
        self.answers.lock().unwrap().get(error).copied().unwrap_or(0)
    }
}

/// Where people write.
#[derive(Clone)]
pub(crate) struct Places {
    /// The channels.
    pub(crate) channels: Vec<String>,
    /// In each channel a message that stays, to reply and react to.
    pub(crate) roots: Vec<String>,
}

/// One person who writes.
pub(crate) struct Sender {
    user: String,
    places: Places,
    api: Api,
    up: watch::Receiver<bool>,
    load: Load,
    random: Random,
    own: Vec<Own>,
    reactions: Vec<Vec<&'static str>>,
}

/// What the answer to a try says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// Done, with the `ts` of a post.
    Done(String),
    /// Certainly not done, try again later.
    NotDone,
    /// Not done, and not tried again.
    GivenUp,
    /// Nobody knows.
    Unknown,
    /// Refused for good.
    Refused(String),
}

#[derive(Clone)]
struct Own {
    channel: String,
    ts: String,
}

const REACTIONS: [&str; 4] = ["wave", "tada", "eyes", "heart"];

/// How many of one's own messages may still be edited or deleted.
const OWN_MAX: usize = 20;

impl Sender {
    /// A person on a server; `seed` decides what is done.
    pub(crate) fn new(server: &Sandbox, member: &Member, places: &Places, load: Load, seed: u64) -> Sender {
        Sender {
            user: member.id.clone(),
            places: places.clone(),
            api: server.api(&member.token),
            up: server.up(),
            load,
            random: Random(seed | 1),
            own: Vec::new(),
            reactions: vec![Vec::new(); places.channels.len()],
        }
    }

    /// Works until told to stop; the last operation is brought to an end.
    pub(crate) async fn run(mut self) -> Result<()> {
        let mut count = 0_u64;
        while !*self.load.stop.borrow() {
            count += 1;
            match self.random.below(100) {
                0..70 => self.post(count).await?,
                70..80 => self.edit(count).await?,
                80..86 => self.delete().await?,
                _ => self.react().await?,
            }
        }
        Ok(())
    }

    async fn post(&mut self, count: u64) -> Result<()> {
        let place = self.random.below(self.places.channels.len());
        let channel = self.places.channels[place].clone();
        let thread_ts = (self.random.below(10) == 0).then(|| self.places.roots[place].clone());
        let action = Action::Post {
            key: uuid::Uuid::new_v4().to_string(),
            text: format!("{} says {count}", self.user),
            thread_ts,
        };
        let Some(ts) = self.until_known(&channel, action).await? else { return Ok(()) };
        self.own.push(Own { channel, ts });
        if self.own.len() > OWN_MAX {
            self.own.remove(0);
        }
        Ok(())
    }

    async fn edit(&mut self, count: u64) -> Result<()> {
        if let Some(own) = self.one_of_own() {
            let own = self.own[own].clone();
            let text = format!("{} corrects {count}", self.user);
            self.until_known(&own.channel, Action::Edit { ts: own.ts, text }).await?;
        }
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        if let Some(own) = self.one_of_own() {
            let own = self.own.remove(own);
            self.until_known(&own.channel, Action::Delete { ts: own.ts }).await?;
        }
        Ok(())
    }

    async fn react(&mut self) -> Result<()> {
        let place = self.random.below(self.places.channels.len());
        let name = REACTIONS[self.random.below(REACTIONS.len())];
        let given = &mut self.reactions[place];
        let added = !given.contains(&name);
        if added {
            given.push(name);
        } else {
            given.retain(|other| *other != name);
        }
        let action = Action::React { ts: self.places.roots[place].clone(), name: name.to_owned(), added };
        let channel = self.places.channels[place].clone();
        self.until_known(&channel, action).await?;
        Ok(())
    }

    fn one_of_own(&mut self) -> Option<usize> {
        (!self.own.is_empty()).then(|| self.random.below(self.own.len()))
    }

    /// Repeats the same request until its outcome is known; the `ts` of what was done. A post that was certainly
    /// not done is given up now and then: it must not appear later.
    async fn until_known(&mut self, channel: &str, action: Action) -> Result<Option<String>> {
        let mut unknown = false;
        loop {
            self.up.wait_for(|up| *up).await?;
            let started = self.load.clock.now();
            self.load.in_flight.fetch_add(1, Ordering::SeqCst);
            let mut answer = self.attempt(channel, &action, unknown).await;
            let ended = self.load.clock.now();
            if answer == Answer::NotDone {
                let gives_up = !unknown && matches!(action, Action::Post { .. }) && self.random.below(4) == 0;
                answer = if gives_up { Answer::GivenUp } else { Answer::NotDone };
            }
            let outcome = match &answer {
                Answer::Done(ts) => Outcome::Done(ts.clone()),
                Answer::Refused(error) => Outcome::Refused(error.clone()),
                Answer::GivenUp => Outcome::Refused("service_unavailable".to_owned()),
                Answer::NotDone | Answer::Unknown => Outcome::Unknown,
            };
            let first_unknown = outcome == Outcome::Unknown && !unknown;
            self.record(channel, &action, (started, ended), outcome);
            self.load.unresolved.fetch_add(usize::from(first_unknown), Ordering::SeqCst);
            self.load.in_flight.fetch_sub(1, Ordering::SeqCst);
            match answer {
                Answer::Done(ts) => {
                    self.load.unresolved.fetch_sub(usize::from(unknown), Ordering::SeqCst);
                    return Ok(Some(ts));
                }
                Answer::Refused(error) => bail!("{action:?} in {channel} was refused with {error}"),
                Answer::GivenUp => {
                    tokio::time::sleep(REPEAT_AFTER).await;
                    return Ok(None);
                }
                Answer::NotDone => tokio::time::sleep(REPEAT_AFTER).await,
                Answer::Unknown => {}
            }
            unknown = true;
        }
    }

    async fn attempt(&self, channel: &str, action: &Action, repeated: bool) -> Answer {
        let (method, mut arguments) = action.call();
        arguments.push(("channel", channel));
        let Ok(answer) = self.api.call(method, &arguments).await else {
            self.count("no answer");
            return Answer::Unknown;
        };
        if answer["ok"] == true {
            return Answer::Done(answer["ts"].as_str().unwrap_or_default().to_owned());
        }
        let error = answer["error"].as_str().unwrap_or_default();
        self.count(error);
        self.load.errors.lock().unwrap().insert(answer.to_string());
        match error {
            "service_unavailable" | "ratelimited" => Answer::NotDone,
            "request_timeout" | "internal_error" | "fatal_error" => Answer::Unknown,
            // The try before this one did it.
            "message_not_found" | "already_reacted" | "no_reaction" if repeated => {
                Answer::Done(String::new())
            }
            error => Answer::Refused(error.to_owned()),
        }
    }

    fn count(&self, error: &str) {
        *self.load.answers.lock().unwrap().entry(error.to_owned()).or_default() += 1;
    }

    fn record(&self, channel: &str, action: &Action, (started, ended): (Micros, Micros), outcome: Outcome) {
        let operation = Operation {
            channel: channel.to_owned(),
            author: self.user.clone(),
            action: action.clone(),
            started,
            ended,
            outcome,
        };
        self.load.operations.lock().unwrap().push(operation);
    }
}

/// Small, fast, and the same again for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// From 0 to below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // Xorshift, Marsaglia 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end.max(1)
    }
}
