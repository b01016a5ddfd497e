//! PostgreSQL goes away and comes back: killed, stopped, restarted, its sessions ended.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::postgres::{Cluster, Options, Stop, missing};
use harness::sandbox::Sandbox;

use super::{
    BACK_WITHIN, DATABASE, cluster, key, not_there, post, seed, served, shows, verdict, verdict_after,
};
use crate::campaign::Campaign;
use crate::load::Random;

/// Rounds of each kind of end.
const ROUNDS: usize = 7;

/// Acknowledgements that show that work goes on.
const GOES_ON: usize = 20;

/// How PostgreSQL ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// SIGKILL of all its processes.
    Killed,
    /// `-m immediate`.
    Immediate,
    /// SIGKILL of the server and of PostgreSQL at once.
    BothKilled,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_killed_under_load() -> Result<()> {
    if missing("PostgreSQL is killed") {
        return Ok(());
    }
    let mut cluster = cluster(Options::default()).await?;
    let mut server = served(cluster.url(DATABASE)).await?;
    let seed = seed()?;
    let mut random = Random(seed | 1);
    let mut campaign = Campaign::start(&[&server], seed).await?;
    for end in [End::Killed, End::Immediate, End::BothKilled] {
        let mut hits = 0;
        for _ in 0..ROUNDS {
            campaign.run_for(Duration::from_millis(u64::try_from(200 + random.below(500))?)).await?;
            hits += usize::from(cluster.open_writes(DATABASE).await? > 0);
            strike(end, &mut cluster, &mut server).await?;
            campaign.progress(GOES_ON, BACK_WITHIN).await?;
        }
        // Only the last kind ends the server: before, every request is answered.
        let broken = campaign.load.answered("no answer");
        ensure!(broken == 0 || end == End::BothKilled, "{broken} requests got no answer");
        println!(
            "{end:?}: {hits} of {ROUNDS} met a transaction that had written; answers {:?}",
            campaign.load.answers()
        );
        ensure!(hits > 0, "{end:?} hit nothing");
    }
    campaign.load.answers.lock().unwrap().remove("no answer");
    verdict(campaign, &[&server], &cluster).await?;
    cluster.verify(DATABASE)
}

async fn strike(end: End, cluster: &mut Cluster, server: &mut Sandbox) -> Result<()> {
    match end {
        End::Killed => cluster.kill().await?,
        End::Immediate => cluster.stop(Stop::Immediate).await?,
        End::BothKilled => {
            server.kill().await?;
            cluster.kill().await?;
        }
    }
    cluster.launch().await?;
    if end == End::BothKilled {
        server.restart().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_restart_is_waited_for_or_refused_clearly() -> Result<()> {
    if missing("PostgreSQL restarts") {
        return Ok(());
    }
    let mut cluster = cluster(Options::default()).await?;
    let server = served(cluster.url(DATABASE)).await?;
    let (bot, general) = (server.bot(), server.channel("general")?.to_owned());
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    campaign.progress(GOES_ON, BACK_WITHIN).await?;
    shows(&server, true).await?;

    // Short: nobody need notice.
    cluster.stop(Stop::Fast).await?;
    cluster.launch().await?;
    campaign.progress(GOES_ON, BACK_WITHIN).await?;
    let refused = campaign.load.answered("service_unavailable");
    println!("a short restart refused {refused} requests");
    ensure!(refused == 0, "a restart of well under a second was not waited for");

    // Long: whoever asks is told that it was not done, and operators see why.
    let began = Instant::now();
    cluster.stop(Stop::Fast).await?;
    let given_up = key();
    let (refused, shown) = campaign
        .during(async { tokio::join!(post(&bot, &general, &given_up), shows(&server, false)) })
        .await?;
    let refused = refused?;
    shown?;
    ensure!(refused["error"] == "service_unavailable", "a post was answered {refused}");
    let read = bot.call("conversations.history", &[("channel", &general)]).await?;
    ensure!(read["error"] == "service_unavailable", "a read was answered {read}");
    cluster.launch().await?;
    let outage = began.elapsed();
    campaign.progress(GOES_ON, BACK_WITHIN).await?;
    shows(&server, true).await?;
    let history = verdict_after(outage, campaign, &[&server], &cluster).await?;
    not_there(&history, &given_up)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_ended_by_an_administrator_under_load() -> Result<()> {
    if missing("pg_terminate_backend") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let server = served(cluster.url(DATABASE)).await?;
    let seed = seed()?;
    let mut random = Random(seed | 1);
    let mut campaign = Campaign::start(&[&server], seed).await?;
    let (mut ended, mut hits) = (0, 0);
    for _ in 0..40 {
        campaign.progress(5, BACK_WITHIN).await?;
        campaign.run_for(Duration::from_millis(u64::try_from(random.below(50))?)).await?;
        hits += usize::from(cluster.open_writes(DATABASE).await? > 0);
        ended += cluster.terminate_backends(DATABASE).await?;
    }
    campaign.progress(GOES_ON, BACK_WITHIN).await?;
    println!("{ended} sessions ended, {hits} times with a transaction that had written");
    ensure!(ended > 0 && hits > 0, "no session was ended at work");
    // The database was there all the time: what was not committed was tried again, not refused.
    let refused = campaign.load.answered("service_unavailable");
    ensure!(refused == 0, "{refused} requests were refused although the database was there");
    verdict(campaign, &[&server], &cluster).await?;
    Ok(())
}
