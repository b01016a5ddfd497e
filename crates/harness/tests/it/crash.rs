//! kill -9 of the server at random moments under load: nothing acknowledged is lost, nothing is doubled, and
//! whoever listens ends with exactly what is there. The same on either store.
//!
//! A round is: load for a random time, kill, look at what the store has, restart. The kill is honest when
//! it finds work: each round prints how many requests were out, how many of the posts among them turned
//! out to be committed although nobody was told (their `ts` is before the kill), and whether a commit was open:
//! SQLite's log ends in one that was being written, or PostgreSQL had a transaction that had written.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use harness::history::{Action, Operation, Outcome};
use harness::postgres::{self, Cluster, missing};
use harness::sandbox::{Options, Sandbox};
use harness::wal;

use crate::campaign::{Campaign, DELIVER_WITHIN, SENDERS, quiet};
use crate::load::Random;

/// The database of the test on PostgreSQL.
const DATABASE: &str = "parlance";

fn rounds() -> usize {
    if std::env::var_os("PARLANCE_LONG").is_some() { 300 } else { 24 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_embedded_store_kill_9_loses_and_doubles_nothing() -> Result<()> {
    let mut server = Sandbox::start_with(Options { members: SENDERS, ..Options::default() }).await?;
    survive(&mut server, None).await?;
    integrity(server.data())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_kill_9_loses_and_doubles_nothing() -> Result<()> {
    if missing("kill -9 on PostgreSQL") {
        return Ok(());
    }
    let cluster = Cluster::start(postgres::Options::default()).await?;
    cluster.create_database(DATABASE).await?;
    let store = Some(cluster.url(DATABASE));
    let mut server = Sandbox::start_with(Options { members: SENDERS, store, ..Options::default() }).await?;
    survive(&mut server, Some(&cluster)).await
}

/// Kills the server again and again; then the judge decides.
async fn survive(server: &mut Sandbox, cluster: Option<&Cluster>) -> Result<()> {
    let seed = getrandom::u64()?;
    let mut random = Random(seed | 1);
    let mut campaign = Campaign::start(&[server], seed).await?;
    let mut tally = Tally::default();
    for round in 1..=rounds() {
        campaign.run_for(Duration::from_millis(u64::try_from(300 + random.below(1200))?)).await?;
        let kill = kill(server, cluster, &campaign).await?;
        let restarting = Instant::now();
        server.restart().await.with_context(|| format!("restart after round {round}"))?;
        let ready = restarting.elapsed();
        campaign.resolved().await?;
        tally.round(round, &kill, ready, &campaign.load.operations.lock().unwrap());
    }
    tally.finish();
    ensure!(tally.hits > 0, "no kill hit an open commit: the test shows nothing");
    campaign.judge(server, DELIVER_WITHIN).await?;
    let status = server.terminate().await?;
    ensure!(status.code() == Some(0), "drain: {status}");
    Ok(())
}

/// What a kill met.
struct Kill {
    at_us: u64,
    in_flight: usize,
    /// A commit was under way.
    open: bool,
    tries_before: usize,
}

async fn kill(server: &mut Sandbox, cluster: Option<&Cluster>, campaign: &Campaign) -> Result<Kill> {
    let load = &campaign.load;
    let tries_before = load.operations.lock().unwrap().len();
    // PostgreSQL is asked just before, SQLite's log is read afterwards.
    let mut open = match cluster {
        Some(cluster) => cluster.open_writes(DATABASE).await? > 0,
        None => false,
    };
    let in_flight = load.in_flight.load(std::sync::atomic::Ordering::SeqCst);
    server.kill().await?;
    // Everything that was out has failed by now, and counts as unresolved.
    quiet(&load.in_flight, "requests to a dead server are out").await?;
    let at_us = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
    if cluster.is_none() {
        open = wal::tails(server.data())?.open_frames > 0;
    }
    Ok(Kill { at_us, in_flight, open, tries_before })
}

#[derive(Default)]
struct Tally {
    rounds: usize,
    hits: usize,
    in_flight: usize,
    committed: usize,
    not_committed: usize,
    open: usize,
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
        let hit = committed > 0 || kill.open;
        println!(
            "round {round:>3}: {:>6} tries so far, killed with {:>2} in flight: of the posts {committed} were \
             committed and {not_committed} not; {:<15} {} ready after {:>4} ms",
            operations.len(),
            kill.in_flight,
            if kill.open { "a commit open," } else { "no commit open," },
            if hit { "HIT, " } else { "miss," },
            ready.as_millis(),
        );
        self.rounds += 1;
        self.hits += usize::from(hit);
        self.in_flight += kill.in_flight;
        self.committed += committed;
        self.not_committed += not_committed;
        self.open += usize::from(kill.open);
    }

    fn finish(&self) {
        println!(
            "{} kills, {} of them between the begin of a commit and its answers ({} found a commit open); {} requests \
             were in flight, of their posts {} turned out committed and {} not",
            self.rounds, self.hits, self.open, self.in_flight, self.committed, self.not_committed,
        );
    }
}

/// `1712345678.000200` as microseconds.
fn micros(ts: &str) -> u64 {
    ts.replace('.', "").parse().unwrap_or(0)
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
