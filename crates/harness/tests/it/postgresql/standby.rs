//! The primary dies and its synchronous standby takes over.

use std::time::Duration;

use anyhow::{Context, Result};
use harness::postgres::{Options, Stop, USER, missing};

use super::{BACK_WITHIN, DATABASE, cluster, seed, served, verdict};
use crate::campaign::Campaign;

/// How long a commit may wait for a standby before whoever asked is told that it is not known.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_promoted_and_nothing_acknowledged_is_lost() -> Result<()> {
    if missing("a standby is promoted") {
        return Ok(());
    }
    let mut primary = cluster(Options::default()).await?;
    let mut standby = primary.standby().await?;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
    let store = format!(
        "postgres://{USER}:{}@{hosts}/{DATABASE}?target_session_attrs=read-write",
        primary.password()
    );
    let server = served(store).await?;
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    campaign.progress(50, BACK_WITHIN).await?;

    // Without its standby the primary keeps commits waiting: nobody may be told that they are done.
    standby.stop(Stop::Immediate).await?;
    let load = campaign.load.clone();
    let told = async {
        while load.answered("request_timeout") == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let told = campaign.during(tokio::time::timeout(TOLD_WITHIN, told)).await?;
    told.context("nobody was told that it is not known")?;
    standby.launch().await?;
    campaign.progress(50, BACK_WITHIN).await?;

    let hit = primary.open_writes(DATABASE).await?;
    primary.kill().await?;
    campaign.during(standby.promote()).await??;
    campaign.progress(50, BACK_WITHIN).await?;
    println!("killed with {hit} transactions that had written; answers {:?}", campaign.load.answers());
    verdict(campaign, &[&server], &standby).await?;
    Ok(())
}
