//! kill -9 at random moments under load: nothing acknowledged is lost, nothing is doubled, and whoever
//! listens ends with exactly what is there.
//!
//! A round is: load for a random time, kill, look at what the log has, restart. The kill is honest when
//! it finds work: each round prints how many requests were out, how many of the posts among them turned
//! out to be committed although nobody was told (their `ts` is before the kill), and whether SQLite's
//! log ends in a commit that was being written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use harness::history::{Action, History, Operation, Outcome, Snapshot, check};
use harness::listener::{Orders, Stopwatch, listen};
use harness::sandbox::{Options, Sandbox};
use harness::socket::boot_positions;
use harness::wal;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::load::{Load, Random, Sender};

/// Who writes. More would not find more, but make the checker's work longer.
const SENDERS: usize = 6;

/// Channels besides `general`.
const CHANNELS: usize = 2;

/// I8.
const DELIVER_WITHIN: Duration = Duration::from_secs(2);

fn rounds() -> usize {
    if std::env::var_os("PARLANCE_LONG").is_some() { 300 } else { 24 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_by_kill_9() -> Result<()> {
    let seed = getrandom::u64()?;
    println!("seed {seed}, {} rounds", rounds());
    let mut random = Random(seed | 1);
    let mut server = Sandbox::start_with(Options { members: SENDERS, ..Options::default() }).await?;
    let channels = channels(&server).await?;
    let mut roots = Vec::new();
    for channel in &channels {
        roots.push(server.person(0)?.post(channel, "root").await?);
    }

    let clock = Stopwatch::start();
    let (until, is_until) = watch::channel(None);
    let orders = Orders { up: server.up(), until: is_until };
    let mut listeners = JoinSet::new();
    let (listening, members) = (server.seed.people.clone(), server.seed.members.clone());
    let devices = listening.iter().map(|person| (&person.name, &person.token));
    let devices = devices.chain(members.first().map(|member| (&member.id, &member.token)));
    for (name, token) in devices {
        let api = server.api(token);
        let mut bases: BTreeMap<String, Snapshot> = BTreeMap::new();
        for channel in &channels {
            bases.insert(channel.clone(), api.snapshot(channel).await?);
        }
        let positions = boot_positions(&api).await?;
        listeners.spawn(listen(api, name.clone(), positions, bases, clock, orders.clone()));
    }

    let (stop, is_stop) = watch::channel(false);
    let load = Load {
        clock,
        up: server.up(),
        stop: is_stop,
        operations: Arc::new(Mutex::new(Vec::new())),
        in_flight: Arc::default(),
        unresolved: Arc::default(),
    };
    let mut senders = JoinSet::new();
    for (n, member) in members.iter().enumerate() {
        let own_seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::try_from(n)?);
        let api = server.api(&member.token);
        let sender = Sender::new(&member.id, api, &channels, &roots, load.clone(), own_seed);
        senders.spawn(sender.run());
    }

    let mut tally = Tally::default();
    for round in 1..=rounds() {
        let load_for = Duration::from_millis(u64::try_from(300 + random.below(1200))?);
        tokio::select! {
            () = tokio::time::sleep(load_for) => {}
            Some(ended) = senders.join_next() => {
                ended??;
                anyhow::bail!("a sender ended by itself");
            }
        }
        let kill = kill(&mut server, &load).await?;
        let restarting = Instant::now();
        server.restart().await.with_context(|| format!("restart after round {round}"))?;
        let ready = restarting.elapsed();
        resolved(&load).await?;
        tally.round(round, &kill, ready, &load.operations.lock().unwrap());
    }
    stop.send_replace(true);
    while let Some(ended) = senders.join_next().await {
        ended??;
    }

    let mut finals = BTreeMap::new();
    for channel in &channels {
        finals.insert(channel.clone(), server.person(0)?.snapshot(channel).await?);
    }
    until.send_replace(Some(finals.iter().map(|(channel, end)| (channel.clone(), end.seq)).collect()));
    let mut heard = Vec::new();
    while let Some(ended) = listeners.join_next().await {
        heard.push(ended??);
    }
    let status = server.terminate().await?;
    ensure!(status.code() == Some(0), "drain: {status}");
    integrity(server.data())?;

    let mut history = History {
        operations: std::mem::take(&mut *load.operations.lock().unwrap()),
        listeners: heard,
        finals,
        deliver_within: u64::try_from(DELIVER_WITHIN.as_micros())?,
    };
    with_roots(&mut history, &server, &channels, &roots);
    tally.finish(&history);
    ensure!(tally.hits > 0, "no kill hit an open commit: the test shows nothing");
    let violations = check(&history);
    for violation in violations.iter().take(20) {
        println!("{violation}");
    }
    ensure!(violations.is_empty(), "{} violations", violations.len());
    Ok(())
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

/// What a kill met.
struct Kill {
    at_us: u64,
    in_flight: usize,
    tail: wal::Tail,
    tries_before: usize,
}

async fn kill(server: &mut Sandbox, load: &Load) -> Result<Kill> {
    let tries_before = load.operations.lock().unwrap().len();
    let in_flight = load.in_flight.load(Ordering::SeqCst);
    server.kill().await?;
    // Everything that was out has failed by now, and counts as unresolved.
    quiet(&load.in_flight, "requests to a dead server are out").await?;
    let at_us = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
    Ok(Kill { at_us, in_flight, tail: wal::tails(server.data())?, tries_before })
}

/// Waits until every operation without an answer was repeated and answered.
async fn resolved(load: &Load) -> Result<()> {
    quiet(&load.unresolved, "still unanswered").await
}

async fn quiet(counter: &AtomicUsize, what: &str) -> Result<()> {
    let zero = async {
        while counter.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), zero).await.with_context(|| format!("{what} after 30 s"))
}

#[derive(Default)]
struct Tally {
    rounds: usize,
    hits: usize,
    in_flight: usize,
    committed: usize,
    not_committed: usize,
    open_tails: usize,
}

impl Tally {
    fn round(&mut self, round: usize, kill: &Kill, ready: Duration, operations: &[Operation]) {
        let since = &operations[kill.tries_before.min(operations.len())..];
        let mut unknown: Vec<&str> = Vec::new();
        let (mut committed, mut not_committed) = (0, 0);
        for operation in since {
            let Action::Post { key, .. } = &operation.action else { continue };
            match &operation.outcome {
                Outcome::Unknown => unknown.push(key),
                Outcome::Done(ts) if unknown.contains(&key.as_str()) => {
                    unknown.retain(|other| other != key);
                    if micros(ts) <= kill.at_us { committed += 1 } else { not_committed += 1 }
                }
                _ => {}
            }
        }
        let hit = committed > 0 || kill.tail.open_frames > 0;
        println!(
            "round {round:>3}: {:>6} tries so far, killed with {:>2} in flight: of the posts {committed} were \
             committed and {not_committed} not; log tail {:<6} {} ready after {:>4} ms",
            operations.len(),
            kill.in_flight,
            if kill.tail.open_frames > 0 { "open," } else { "clean," },
            if hit { "HIT, " } else { "miss," },
            ready.as_millis(),
        );
        self.rounds += 1;
        self.hits += usize::from(hit);
        self.in_flight += kill.in_flight;
        self.committed += committed;
        self.not_committed += not_committed;
        self.open_tails += usize::from(kill.tail.open_frames > 0);
    }

    fn finish(&self, history: &History) {
        let acknowledged = history
            .operations
            .iter()
            .filter(|operation| matches!(operation.outcome, Outcome::Done(_)))
            .count();
        let events: usize = history.listeners.iter().map(|listener| listener.seen.len()).sum();
        println!(
            "{} kills, {} of them between the begin of a commit and its answers ({} left a commit half \
             written); {} requests were in flight, of their posts {} turned out committed and {} not; \
             {acknowledged} operations acknowledged, {events} frames heard by {} listeners",
            self.rounds,
            self.hits,
            self.open_tails,
            self.in_flight,
            self.committed,
            self.not_committed,
            history.listeners.len(),
        );
    }
}

/// `1712345678.000200` as microseconds.
fn micros(ts: &str) -> u64 {
    ts.replace('.', "").parse().unwrap_or(0)
}

/// The roots were posted before the recording; the checker is told, since reactions refer to them.
fn with_roots(history: &mut History, server: &Sandbox, channels: &[String], roots: &[String]) {
    for (channel, root) in channels.iter().zip(roots) {
        history.operations.push(Operation {
            channel: channel.clone(),
            author: server.seed.people[0].id.clone(),
            action: Action::Post { key: format!("root of {channel}"), text: "root".into(), thread_ts: None },
            started: 0,
            ended: 0,
            outcome: Outcome::Done(root.clone()),
        });
    }
}

/// SQLite's own opinion of every database of the directory.
fn integrity(data: &Path) -> Result<()> {
    let mut checked = 0;
    for entry in std::fs::read_dir(data)? {
        let file = entry?.path();
        if !std::fs::read(&file).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3")) {
            continue;
        }
        let connection = rusqlite::Connection::open(&file)?;
        let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        ensure!(verdict == "ok", "{}: {verdict}", file.display());
        let foreign: i64 =
            connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
        ensure!(foreign == 0, "{}: {foreign} rows refer to nothing", file.display());
        checked += 1;
    }
    ensure!(checked > 0, "no database in {}", data.display());
    Ok(())
}
