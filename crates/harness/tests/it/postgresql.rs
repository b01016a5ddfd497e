//! A server on PostgreSQL, and what can happen to PostgreSQL.
//!
//! Each test has a cluster of its own and does one kind of harm under load, says what it hit, and fails when it
//! hit nothing. Then the judge of the crash test decides; every error that was answered must be one that says
//! what a client is to do, and the password must be in no byte that leaves the server.

mod bouncer;
mod connecting;
mod full_disk;
mod limits;
mod network;
mod outages;
mod several;
mod shards;
mod standby;
mod statements;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::history::History;
use harness::http::Api;
use harness::postgres::{Cluster, Options};
use harness::sandbox::{self, Sandbox};
use reqwest::Method;
use serde_json::Value;

use crate::campaign::{Campaign, DELIVER_WITHIN, SENDERS, slowest};

/// The database that a test's server uses.
const DATABASE: &str = "parlance";

/// How long work may take to go on once PostgreSQL is there again.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// How long the slowest request may wait for its answer, whatever happens to PostgreSQL.
const ANSWERED_WITHIN: Duration = Duration::from_secs(25);

/// I12: how long a fault may take to show, and to clear.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// Errors that say what a client is to do, and those that a repeat of what was done gets.
const CLEAR: [&str; 6] = [
    "service_unavailable",
    "request_timeout",
    "ratelimited",
    "message_not_found",
    "already_reacted",
    "no_reaction",
];

/// A cluster with the database.
async fn cluster(options: Options<'_>) -> Result<Cluster> {
    let cluster = Cluster::start(options).await?;
    cluster.create_database(DATABASE).await?;
    Ok(cluster)
}

/// A seeded server on the store at an address.
async fn served(store: String) -> Result<Sandbox> {
    let (store, members) = (Some(store), SENDERS);
    Sandbox::start_with(sandbox::Options { store, members, ..sandbox::Options::default() }).await
}

/// Another server on the same store.
async fn beside(server: &Sandbox, store: String) -> Result<Sandbox> {
    let (store, seed) = (Some(store), Some(server.seed.clone()));
    Sandbox::start_with(sandbox::Options { store, seed, ..sandbox::Options::default() }).await
}

fn seed() -> Result<u64> {
    Ok(getrandom::u64()?)
}

/// What every test ends with: nothing lost or doubled, everything answered, clearly and in time, and the secret
/// kept.
async fn verdict(campaign: Campaign, servers: &[&Sandbox], cluster: &Cluster) -> Result<History> {
    verdict_after(Duration::ZERO, campaign, servers, cluster).await
}

/// As [`verdict`], when the database was out of reach for so long: who was catching up then had to wait for it.
async fn verdict_after(
    outage: Duration,
    campaign: Campaign,
    servers: &[&Sandbox],
    cluster: &Cluster,
) -> Result<History> {
    let (answers, errors) = (campaign.load.answers(), campaign.load.errors.lock().unwrap().clone());
    let first = servers.first().context("no server")?;
    let history = campaign.judge(first, DELIVER_WITHIN + outage).await?;
    let unclear: Vec<_> = answers.keys().filter(|error| !CLEAR.contains(&error.as_str())).collect();
    ensure!(
        unclear.is_empty(),
        "answers that do not say what to do: {unclear:?}; the log:\n{}",
        trouble(first)
    );
    let slowest = slowest(&history.operations);
    ensure!(slowest < ANSWERED_WITHIN, "a request waited {slowest:?}");
    let secret = cluster.password();
    ensure!(!errors.iter().any(|error| error.contains(secret)), "an answer has the password: {errors:?}");
    for server in servers {
        secret_kept(server, secret).await?;
    }
    Ok(history)
}

/// Fails when a post with this key is there at the end.
fn not_there(history: &History, key: &str) -> Result<()> {
    let mut messages = history.finals.values().flat_map(|end| &end.messages);
    let found = messages.find(|message| message.client_msg_id.as_deref() == Some(key));
    ensure!(found.is_none(), "what was refused is there: {found:?}");
    Ok(())
}

/// The password is neither in the log nor in anything that an operator looks at.
async fn secret_kept(server: &Sandbox, password: &str) -> Result<()> {
    let log = server.log();
    ensure!(!log.is_empty() && !log.contains(password), "the log has the password");
    for path in ["/metrics", "/readyz", "/healthz"] {
        ensure!(!get(server, path).await?.1.contains(password), "{path} has the password");
    }
    Ok(())
}

/// The last warnings and errors of a server's log.
fn trouble(server: &Sandbox) -> String {
    let log = server.log();
    let bad =
        log.lines().filter(|line| line.contains(r#""level":"ERROR""#) || line.contains(r#""level":"WARN""#));
    let mut lines: Vec<&str> = bad.collect();
    lines.drain(..lines.len().saturating_sub(20));
    lines.join("\n")
}

async fn get(server: &Sandbox, path: &str) -> Result<(u16, String)> {
    let response = Api::new(server.url(), None).request(Method::GET, path).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// Waits until `/readyz` and the metric `parlance_store_up` say that the store answers, or that it does not; then
/// the log says it too (I12).
async fn shows(server: &Sandbox, up: bool) -> Result<()> {
    let began = Instant::now();
    loop {
        let (status, text) = get(server, "/readyz").await?;
        let metrics = get(server, "/metrics").await?.1;
        let gauges: Vec<&str> =
            metrics.lines().filter(|line| line.starts_with("parlance_store_up{")).collect();
        let values = || gauges.iter().map(|line| line.rsplit(' ').next().unwrap_or_default());
        let told = if up { values().all(|value| value == "1") } else { values().any(|value| value == "0") };
        let ready = status == if up { 200 } else { 503 };
        let said = trouble(server);
        let logged = up || said.contains("database") || said.contains("a store ");
        if ready && told && logged && !gauges.is_empty() {
            println!("shown as {} after {} ms", if up { "up" } else { "down" }, began.elapsed().as_millis());
            return Ok(());
        }
        ensure!(
            began.elapsed() < SHOWN_WITHIN,
            "not shown that up is {up}: /readyz says {status} {text:?}, the gauges {gauges:?}, the log\n{}",
            trouble(server)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A post, as the envelope of its answer.
async fn post(api: &Api, channel: &str, key: &str) -> Result<Value> {
    api.call("chat.postMessage", &[("channel", channel), ("text", "a post"), ("client_msg_id", key)]).await
}

fn key() -> String {
    uuid::Uuid::new_v4().to_string()
}
