//! People write and listen, on one server or several, while a test does harm; then the judge decides.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::history::{Action, History, Operation, Outcome, Snapshot, check};
use harness::listener::{Orders, Stopwatch, listen};
use harness::sandbox::Sandbox;
use harness::socket::boot_positions;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::load::{Load, Places, Sender};

/// Who writes. More would not find more, but make the checker's work longer. Sandboxes are seeded with as many
/// extra members.
pub(crate) const SENDERS: usize = 6;

/// Channels besides `general`.
const CHANNELS: usize = 2;

/// I8.
pub(crate) const DELIVER_WITHIN: Duration = Duration::from_secs(2);

/// How long it may take until everything that got no answer has one, once everything is up again.
const RESOLVED_WITHIN: Duration = Duration::from_secs(30);

/// Senders and listeners at work.
pub(crate) struct Campaign {
    /// What the senders share.
    pub(crate) load: Load,
    places: Places,
    owner: String,
    senders: JoinSet<Result<()>>,
    listeners: JoinSet<Result<harness::history::Listener>>,
    stop: watch::Sender<bool>,
    until: watch::Sender<Option<BTreeMap<String, u64>>>,
}

impl Campaign {
    /// Makes channels and sets everybody to work, spread over the servers.
    pub(crate) async fn start(servers: &[&Sandbox], seed: u64) -> Result<Campaign> {
        println!("seed {seed}");
        let first = *servers.first().context("no server")?;
        let channels = channels(first).await?;
        let mut roots = Vec::new();
        for channel in &channels {
            roots.push(first.person(0)?.post(channel, "root").await?);
        }
        let places = Places { channels, roots };
        let (stop, is_stop) = watch::channel(false);
        let load = Load {
            clock: Stopwatch::start(),
            stop: is_stop,
            operations: Arc::default(),
            in_flight: Arc::default(),
            unresolved: Arc::default(),
            answers: Arc::default(),
            errors: Arc::default(),
        };
        let mut campaign = Campaign {
            load,
            places,
            owner: first.seed.people[0].id.clone(),
            senders: JoinSet::new(),
            listeners: JoinSet::new(),
            stop,
            until: watch::Sender::new(None),
        };
        for (device, server) in servers.iter().cycle().take(4.max(2 * servers.len())).enumerate() {
            campaign.add_listener(server, device).await?;
        }
        for ((n, member), server) in first.seed.members.iter().enumerate().zip(servers.iter().cycle()) {
            let own_seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::try_from(n)?);
            let sender = Sender::new(server, member, &campaign.places, campaign.load.clone(), own_seed);
            campaign.senders.spawn(sender.run());
        }
        Ok(campaign)
    }

    /// One more device that listens, on this server: the people in turn, and a member of `general`.
    pub(crate) async fn add_listener(&mut self, server: &Sandbox, device: usize) -> Result<()> {
        let people = server.seed.people.iter().map(|person| (&person.name, &person.token));
        let members = server.seed.members.iter().map(|member| (&member.id, &member.token));
        let (name, token) = people.chain(members.take(1)).cycle().nth(device).context("nobody")?;
        let api = server.api(token);
        let mut bases: BTreeMap<String, Snapshot> = BTreeMap::new();
        for channel in &self.places.channels {
            bases.insert(channel.clone(), steady(&api, channel).await?);
        }
        let positions = boot_positions(&api).await?;
        let orders = Orders { up: server.up(), until: self.until.subscribe() };
        let name = format!("{name} on {}", server.address());
        self.listeners.spawn(listen(api, name, positions, bases, self.load.clock, orders));
        Ok(())
    }

    /// Where people write.
    pub(crate) fn channels(&self) -> &[String] {
        &self.places.channels
    }

    /// Operations acknowledged per second, counted for a while.
    pub(crate) async fn rate(&mut self, time: Duration) -> Result<f64> {
        let before = done(&self.load.operations);
        let began = std::time::Instant::now();
        self.run_for(time).await?;
        let count = u32::try_from(done(&self.load.operations) - before)?;
        Ok(f64::from(count) / began.elapsed().as_secs_f64())
    }

    /// Waits until work goes on as before some harm. Half as fast is enough: the machine may have got other work to do.
    pub(crate) async fn recovers(&mut self, before: f64, within: Duration) -> Result<()> {
        let healed = std::time::Instant::now();
        let mut best = 0.0_f64;
        while healed.elapsed() < within {
            best = best.max(self.rate(Duration::from_secs(1)).await?);
            if best >= 0.5 * before {
                println!(
                    "{best:.0} operations/s after {:.1} s, {before:.0} before",
                    healed.elapsed().as_secs_f64()
                );
                return Ok(());
            }
        }
        bail!("{best:.0} operations/s at best within {within:?}, {before:.0} before the harm")
    }

    /// Lets everybody work for a while.
    pub(crate) async fn run_for(&mut self, time: Duration) -> Result<()> {
        self.during(tokio::time::sleep(time)).await
    }

    /// Waits for some work of the test, while everybody works. A sender that ends by itself is an error.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            done = work => Ok(done),
            Some(ended) = self.senders.join_next() => {
                ended??;
                bail!("a sender ended by itself");
            }
        }
    }

    /// Waits until this many more operations were acknowledged: work goes on.
    pub(crate) async fn progress(&mut self, acknowledged: usize, within: Duration) -> Result<()> {
        let operations = Arc::clone(&self.load.operations);
        let goal = done(&operations) + acknowledged;
        let goes_on = async {
            while done(&operations) < goal {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let late =
            format!("work does not go on within {within:?}; answers so far: {:?}", self.load.answers());
        self.during(tokio::time::timeout(within, goes_on)).await?.context(late)
    }

    /// Waits until every operation without an answer was repeated and answered.
    pub(crate) async fn resolved(&mut self) -> Result<()> {
        let unresolved = Arc::clone(&self.load.unresolved);
        self.during(quiet(&unresolved, "still unanswered")).await?
    }

    /// Ends the work, reads everything, lets the listeners catch up, and asks the judge. All servers are up.
    ///
    /// A message must reach who is connected within `deliver_within` of its acknowledgement.
    pub(crate) async fn judge(mut self, reader: &Sandbox, deliver_within: Duration) -> Result<History> {
        self.stop.send_replace(true);
        let ended = async {
            while let Some(ended) = self.senders.join_next().await {
                ended??;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(RESOLVED_WITHIN, ended).await.context("a sender does not come to an end")??;
        let mut finals = BTreeMap::new();
        for channel in &self.places.channels {
            finals.insert(channel.clone(), reader.person(0)?.snapshot(channel).await?);
        }
        self.until
            .send_replace(Some(finals.iter().map(|(channel, end)| (channel.clone(), end.seq)).collect()));
        let mut listeners = Vec::new();
        while let Some(ended) = self.listeners.join_next().await {
            listeners.push(ended??);
        }
        let operations = std::mem::take(&mut *self.load.operations.lock().unwrap());
        let deliver_within = u64::try_from(deliver_within.as_micros())?;
        let mut history = History { operations, listeners, finals, deliver_within, deliver_since: 0 };
        self.with_roots(&mut history);
        self.tell(&history);
        let violations = check(&history);
        for violation in violations.iter().take(20) {
            println!("{violation}");
        }
        ensure!(violations.is_empty(), "{} violations", violations.len());
        Ok(history)
    }

    /// The roots were posted before the recording; the checker is told, since reactions refer to them.
    fn with_roots(&self, history: &mut History) {
        for (channel, root) in self.places.channels.iter().zip(&self.places.roots) {
            let key = format!("root of {channel}");
            history.operations.push(Operation {
                channel: channel.clone(),
                author: self.owner.clone(),
                action: Action::Post { key, text: "root".into(), thread_ts: None },
                started: 0,
                ended: 0,
                outcome: Outcome::Done(root.clone()),
            });
        }
    }

    fn tell(&self, history: &History) {
        let acknowledged =
            history.operations.iter().filter(|one| matches!(one.outcome, Outcome::Done(_))).count();
        let events: usize = history.listeners.iter().map(|listener| listener.seen.len()).sum();
        println!(
            "{acknowledged} operations acknowledged, {events} frames heard by {} listeners; slowest answer {} ms; \
             other answers {:?}",
            history.listeners.len(),
            slowest(&history.operations).as_millis(),
            self.load.answers(),
        );
    }
}

/// How long the slowest try waited for its answer, or for the news that there is none.
pub(crate) fn slowest(operations: &[Operation]) -> Duration {
    let waits = operations.iter().map(|operation| operation.ended.saturating_sub(operation.started));
    Duration::from_micros(waits.max().unwrap_or(0))
}

/// Waits until a counter is at zero.
pub(crate) async fn quiet(counter: &AtomicUsize, what: &str) -> Result<()> {
    let zero = async {
        while counter.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let zero = tokio::time::timeout(RESOLVED_WITHIN, zero).await;
    zero.with_context(|| format!("{what} after {RESOLVED_WITHIN:?}"))
}

fn done(operations: &Mutex<Vec<Operation>>) -> usize {
    operations.lock().unwrap().iter().filter(|one| matches!(one.outcome, Outcome::Done(_))).count()
}

/// A snapshot of a channel that others write to: read again when it changed between two pages.
async fn steady(api: &harness::http::Api, channel: &str) -> Result<Snapshot> {
    let mut last = api.snapshot(channel).await;
    while last.as_ref().is_err_and(|error| error.to_string().contains("changed while it was read")) {
        last = api.snapshot(channel).await;
    }
    last
}

/// `general`, and others of which everybody is a member.
async fn channels(server: &Sandbox) -> Result<Vec<String>> {
    let owner = server.person(0)?;
    let mut channels = vec![server.channel("general")?.to_owned()];
    let users: Vec<&str> = (server.seed.people.iter().skip(1).map(|person| person.id.as_str()))
        .chain(server.seed.members.iter().map(|member| member.id.as_str()))
        .collect();
    for n in 0..CHANNELS {
        let name = format!("crash-{n}");
        let private = if n % 2 == 0 { "true" } else { "false" };
        let made = owner.ok("conversations.create", &[("name", &name), ("is_private", private)]).await?;
        let channel = made["channel"]["id"].as_str().context("channel")?.to_owned();
        owner.ok("conversations.invite", &[("channel", &channel), ("users", &users.join(","))]).await?;
        channels.push(channel);
    }
    Ok(channels)
}
