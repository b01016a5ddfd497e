//! Through PgBouncer in transaction mode.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::postgres::{Bouncer, Options, Pool, missing};

use super::{BACK_WITHIN, DATABASE, beside, cluster, seed, served, verdict};
use crate::campaign::Campaign;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_work_through_pgbouncer_and_survive_its_restart() -> Result<()> {
    if missing("through PgBouncer") {
        return Ok(());
    }
    if Bouncer::find().is_none() {
        harness::skip("through PgBouncer", "PgBouncer (Debian: apt-get install pgbouncer)");
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let mut bouncer = Bouncer::start(&cluster, Pool { servers: 2, clients: 100 }).await?;
    let one = served(bouncer.url(DATABASE)).await?;
    let mut two = beside(&one, bouncer.url(DATABASE)).await?;
    let mut campaign = Campaign::start(&[&one, &two], seed()?).await?;
    campaign.progress(200, Duration::from_secs(30)).await?;
    let sessions = cluster.sessions(DATABASE, "test").await?;
    ensure!((1..=2).contains(&sessions), "{sessions} connections to PostgreSQL through a pool of two");
    for _ in 0..4 {
        campaign.run_for(Duration::from_millis(500)).await?;
        bouncer.kill()?;
        bouncer.launch().await?;
        campaign.progress(20, BACK_WITHIN).await?;
    }
    let mut ended = 0;
    for _ in 0..10 {
        campaign.progress(5, BACK_WITHIN).await?;
        ended += cluster.terminate_backends(DATABASE).await?;
    }
    ensure!(ended > 0, "no session behind PgBouncer was ended");

    // Its listeners come back and resume.
    two.kill().await?;
    two.restart().await?;
    campaign.resolved().await?;
    campaign.progress(20, BACK_WITHIN).await?;
    campaign.load.answers.lock().unwrap().remove("no answer");
    println!(
        "PgBouncer was killed 4 times, {ended} sessions behind it were ended; answers {:?}",
        campaign.load.answers()
    );
    verdict(campaign, &[&one, &two], &cluster).await?;
    Ok(())
}
