//! What PostgreSQL refuses while it runs: connections, locks.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::postgres::{Cluster, Options, USER, missing};
use tokio_postgres::error::SqlState;

use super::{
    ANSWERED_WITHIN, BACK_WITHIN, DATABASE, cluster, key, not_there, post, seed, served, shows, verdict,
    verdict_after,
};
use crate::campaign::Campaign;

/// Connections that a small cluster allows, those of superusers not counted.
const CONNECTIONS: usize = 30;

/// Connections that only superusers get.
const RESERVED: usize = 20;

/// How somebody calls himself who takes every connection.
const GREEDY: &str = "greedy";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exhausted_connections_are_told_and_over_when_there_are_some() -> Result<()> {
    if missing("connections are exhausted") {
        return Ok(());
    }
    // Whoever is refused has a place for a moment: there are enough of them that superusers always find one.
    let reserved = ("superuser_reserved_connections", RESERVED.to_string());
    let settings = vec![("max_connections", (CONNECTIONS + RESERVED).to_string()), reserved];
    let cluster = cluster(Options { settings, ..Options::default() }).await?;
    let server = served(cluster.url(DATABASE)).await?;
    let (bot, general) = (server.bot(), server.channel("general")?.to_owned());
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    campaign.progress(20, BACK_WITHIN).await?;

    // Somebody else takes what is free, and what the server loses as well.
    let mut taken = Vec::new();
    while let Ok(one) = another(&cluster).await {
        taken.push(one);
    }
    let (mut terminated, begun) = (0, Instant::now());
    while cluster.sessions(DATABASE, GREEDY).await? > 0 {
        ensure!(begun.elapsed() < ANSWERED_WITHIN, "the server does not lose its last connection");
        terminated += cluster.terminate_backends_but(DATABASE, GREEDY).await?;
        while let Ok(one) = another(&cluster).await {
            taken.push(one);
        }
    }
    println!("{} connections taken, {terminated} of them from the server", taken.len());
    let given_up = key();
    let (refused, shown) = campaign
        .during(async { tokio::join!(post(&bot, &general, &given_up), shows(&server, false)) })
        .await?;
    let refused = refused?;
    ensure!(refused["error"] == "service_unavailable", "a post was answered {refused}");
    shown?;

    drop(taken);
    let outage = begun.elapsed();
    campaign.progress(20, BACK_WITHIN).await?;
    shows(&server, true).await?;
    let history = verdict_after(outage, campaign, &[&server], &cluster).await?;
    not_there(&history, &given_up)
}

/// A connection of somebody else, under the same name.
async fn another(cluster: &Cluster) -> Result<tokio_postgres::Client> {
    let mut config: tokio_postgres::Config = cluster.url(DATABASE).parse()?;
    config.application_name(GREEDY);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    // Its end is seen by nobody: it only takes a place.
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlocks_and_locks_that_are_held_lose_nothing() -> Result<()> {
    if missing("deadlocks") {
        return Ok(());
    }
    // Found at once, so that there are many.
    let soon = ("deadlock_timeout", "20ms".to_owned());
    let cluster = cluster(Options { settings: vec![soon], ..Options::default() }).await?;
    let server = served(cluster.url(DATABASE)).await?;
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    campaign.progress(20, BACK_WITHIN).await?;

    let before = deadlocks(&cluster).await?;
    for _ in 0..30 {
        let crossed = campaign.during(cross(&cluster)).await?;
        crossed?;
    }
    campaign.progress(20, BACK_WITHIN).await?;
    let victims = refusals(&cluster, "40P01");
    println!(
        "{} deadlocks, {victims} of them ended by ending the server's transaction",
        deadlocks(&cluster).await? - before
    );
    ensure!(victims > 0, "no transaction of the server was chosen to give way");
    let refused = campaign.load.answered("service_unavailable");
    ensure!(refused == 0, "{refused} requests were refused for a deadlock");

    // Somebody holds every topic for longer than a statement may wait.
    let mut holder = cluster.admin_of(DATABASE).await?;
    let held = holder.transaction().await?;
    held.batch_execute("SELECT 1 FROM topics FOR UPDATE").await?;
    let waits = tokio::time::sleep(Duration::from_secs(7));
    campaign.during(waits).await?;
    let timeouts = refusals(&cluster, "57014") + refusals(&cluster, "55P03");
    held.rollback().await?;
    println!("{timeouts} statements gave up waiting for a lock");
    ensure!(timeouts > 0, "nobody waited for the lock");
    campaign.progress(20, BACK_WITHIN).await?;

    // The same for the placement.
    let held = holder.transaction().await?;
    held.batch_execute("SELECT 1 FROM placements FOR UPDATE").await?;
    campaign.run_for(Duration::from_secs(2)).await?;
    held.rollback().await?;
    campaign.progress(20, BACK_WITHIN).await?;
    verdict(campaign, &[&server], &cluster).await?;
    Ok(())
}

/// Locks all topics from the last to the first, slowly: against the order of the server, which holds the placement
/// meanwhile.
async fn cross(cluster: &Cluster) -> Result<()> {
    let mut client = cluster.admin_of(DATABASE).await?;
    // The other one is to be chosen: whoever finds the deadlock ends itself, and we look late.
    client.batch_execute("SET deadlock_timeout = '10s'").await?;
    let topics =
        client.query("SELECT workspace, topic FROM topics ORDER BY workspace DESC, topic DESC", &[]).await?;
    let transaction = client.transaction().await?;
    for row in topics {
        let (workspace, topic): (i64, i64) = (row.get(0), row.get(1));
        let lock = "SELECT 1 FROM topics WHERE workspace = $1 AND topic = $2 FOR UPDATE";
        let locked =
            tokio::time::timeout(ANSWERED_WITHIN, transaction.query(lock, &[&workspace, &topic])).await;
        match locked.context("a lock is not let go")? {
            Ok(_) => {}
            // Chosen all the same.
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(transaction.rollback().await?)
}

async fn deadlocks(cluster: &Cluster) -> Result<i64> {
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = $1";
    Ok(cluster.admin().await?.query_one(sql, &[&DATABASE]).await?.get(0))
}

/// How often the server was answered an error, from the cluster's log.
fn refusals(cluster: &Cluster, code: &str) -> usize {
    let line = format!(" {USER} {code} ERROR: ");
    cluster.log().lines().filter(|other| other.contains(&line)).count()
}
