//! The primary dies and its synchronous standby takes over.

use std::time::Duration;

use anyhow::Result;
use harness::postgres::{Options, USER, missing};

use super::{BACK_WITHIN, DATABASE, cluster, seed, served, verdict};
use crate::campaign::Campaign;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_promoted_and_nothing_acknowledged_is_lost() -> Result<()> {
    if missing("a standby is promoted") {
        return Ok(());
    }
    let mut primary = cluster(Options::default()).await?;
    let standby = primary.standby().await?;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
    let store = format!(
        "postgres://{USER}:{}@{hosts}/{DATABASE}?target_session_attrs=read-write",
        primary.password()
    );
    let server = served(store).await?;
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    campaign.run_for(Duration::from_secs(2)).await?;
    let hit = primary.open_writes(DATABASE).await?;
    primary.kill().await?;
    campaign.during(standby.promote()).await??;
    campaign.progress(50, BACK_WITHIN).await?;
    println!("killed with {hit} transactions that had written; answers {:?}", campaign.load.answers());
    verdict(campaign, &[&server], &standby).await?;
    Ok(())
}
