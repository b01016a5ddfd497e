//! Senders that post, edit, delete and react, repeat what got no answer, and record every try.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use harness::history::{Action, Micros, Operation, Outcome};
use harness::http::Api;
use harness::listener::Stopwatch;
use tokio::sync::watch;

/// What all senders share.
#[derive(Clone)]
pub(crate) struct Load {
    /// The clock of the recording.
    pub(crate) clock: Stopwatch,
    /// Whether there is a server.
    pub(crate) up: watch::Receiver<bool>,
    /// Set when it is enough.
    pub(crate) stop: watch::Receiver<bool>,
    /// Every try.
    pub(crate) operations: Arc<Mutex<Vec<Operation>>>,
    /// Requests that are out and not answered.
    pub(crate) in_flight: Arc<AtomicUsize>,
    /// Operations that got no answer and were not yet repeated with one.
    pub(crate) unresolved: Arc<AtomicUsize>,
}

/// One person who writes.
pub(crate) struct Sender {
    /// The person.
    pub(crate) user: String,
    /// Where.
    pub(crate) channels: Vec<String>,
    /// In each channel a message that stays, to reply and react to.
    pub(crate) roots: Vec<String>,
    api: Api,
    load: Load,
    random: Random,
    own: Vec<Own>,
    reactions: Vec<Vec<&'static str>>,
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
    /// A person with a token; `seed` decides what is done.
    pub(crate) fn new(
        user: &str,
        api: Api,
        channels: &[String],
        roots: &[String],
        load: Load,
        seed: u64,
    ) -> Sender {
        Sender {
            user: user.to_owned(),
            channels: channels.to_vec(),
            roots: roots.to_vec(),
            api,
            load,
            random: Random(seed | 1),
            own: Vec::new(),
            reactions: vec![Vec::new(); channels.len()],
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
        let place = self.random.below(self.channels.len());
        let channel = self.channels[place].clone();
        let thread_ts = (self.random.below(10) == 0).then(|| self.roots[place].clone());
        let action = Action::Post {
            key: uuid::Uuid::new_v4().to_string(),
            text: format!("{} says {count}", self.user),
            thread_ts,
        };
        let ts = self.until_known(&channel, action).await?;
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
        let place = self.random.below(self.channels.len());
        let name = REACTIONS[self.random.below(REACTIONS.len())];
        let given = &mut self.reactions[place];
        let added = !given.contains(&name);
        if added {
            given.push(name);
        } else {
            given.retain(|other| *other != name);
        }
        let action = Action::React { ts: self.roots[place].clone(), name: name.to_owned(), added };
        let channel = self.channels[place].clone();
        self.until_known(&channel, action).await?;
        Ok(())
    }

    fn one_of_own(&mut self) -> Option<usize> {
        (!self.own.is_empty()).then(|| self.random.below(self.own.len()))
    }

    /// Repeats the same request until its outcome is known.
    async fn until_known(&mut self, channel: &str, action: Action) -> Result<String> {
        let mut unknown = false;
        loop {
            self.load.up.wait_for(|up| *up).await?;
            let started = self.load.clock.now();
            self.load.in_flight.fetch_add(1, Ordering::SeqCst);
            let outcome = self.attempt(channel, &action, unknown).await;
            let ended = self.load.clock.now();
            self.record(channel, &action, (started, ended), outcome.clone());
            let first_unknown = outcome == Outcome::Unknown && !unknown;
            self.load.unresolved.fetch_add(usize::from(first_unknown), Ordering::SeqCst);
            self.load.in_flight.fetch_sub(1, Ordering::SeqCst);
            match outcome {
                Outcome::Done(ts) => {
                    self.load.unresolved.fetch_sub(usize::from(unknown), Ordering::SeqCst);
                    return Ok(ts);
                }
                Outcome::Refused(error) => bail!("{action:?} in {channel} was refused with {error}"),
                Outcome::Unknown => unknown = true,
            }
        }
    }

    async fn attempt(&self, channel: &str, action: &Action, repeated: bool) -> Outcome {
        let (method, mut arguments) = match action {
            Action::Post { key, text, thread_ts } => {
                let mut arguments = vec![("text", text.as_str()), ("client_msg_id", key.as_str())];
                arguments.extend(thread_ts.as_ref().map(|thread| ("thread_ts", thread.as_str())));
                ("chat.postMessage", arguments)
            }
            Action::Edit { ts, text } => ("chat.update", vec![("ts", ts.as_str()), ("text", text.as_str())]),
            Action::Delete { ts } => ("chat.delete", vec![("ts", ts.as_str())]),
            Action::React { ts, name, added } => {
                let method = if *added { "reactions.add" } else { "reactions.remove" };
                (method, vec![("timestamp", ts.as_str()), ("name", name.as_str())])
            }
        };
        arguments.push(("channel", channel));
        let Ok(answer) = self.api.call(method, &arguments).await else { return Outcome::Unknown };
        if answer["ok"] == true {
            return Outcome::Done(answer["ts"].as_str().unwrap_or_default().to_owned());
        }
        match answer["error"].as_str().unwrap_or_default() {
            // Nobody knows, or nobody was asked: the same request again is right for both.
            "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "ratelimited" => {
                Outcome::Unknown
            }
            // The try before this one did it.
            "message_not_found" | "already_reacted" | "no_reaction" if repeated => {
                Outcome::Done(String::new())
            }
            error => Outcome::Refused(error.to_owned()),
        }
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
