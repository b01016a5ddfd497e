//! The network between the server and PostgreSQL: connections cut, cut at the commit, frozen.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::postgres::{Options, missing};
use harness::proxy::{At, Cut, End, Proxy};

use super::{
    ANSWERED_WITHIN, BACK_WITHIN, DATABASE, cluster, key, post, seed, served, shows, verdict, verdict_after,
};
use crate::campaign::Campaign;
use crate::load::Random;

/// How long a freeze may go unnoticed: the longest that a transaction may wait, and a little.
const NOTICED_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_cut_under_load() -> Result<()> {
    if missing("connections are cut") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let proxy = Proxy::start(cluster.port()).await?;
    let server = served(cluster.url_at(proxy.port(), DATABASE)).await?;
    let seed = seed()?;
    let mut random = Random(seed | 1);
    let mut campaign = Campaign::start(&[&server], seed).await?;
    let (mut cut, mut hits) = (0, 0);
    for round in 0..40 {
        campaign.progress(5, BACK_WITHIN).await?;
        campaign.run_for(Duration::from_millis(u64::try_from(random.below(50))?)).await?;
        hits += usize::from(cluster.open_writes(DATABASE).await? > 0);
        cut += proxy.cut(if round % 2 == 0 { Cut::Reset } else { Cut::Finish });
    }
    campaign.progress(20, BACK_WITHIN).await?;
    println!("{cut} connections cut, {hits} times with a transaction that had written");
    ensure!(cut > 0 && hits > 0, "nothing was cut at work");
    // The database was there all the time: what was not committed was tried again, not refused.
    let refused = campaign.load.answered("service_unavailable");
    ensure!(refused == 0, "{refused} requests were refused although the database was there");
    verdict(campaign, &[&server], &cluster).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_unknown_and_repeated_once() -> Result<()> {
    if missing("commits are cut") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let proxy = Proxy::start(cluster.port()).await?;
    let server = served(cluster.url_at(proxy.port(), DATABASE)).await?;
    let (bot, general) = (server.bot(), server.channel("general")?.to_owned());
    let mut cuts = proxy.ends_cut();

    // Alone: the answer is the documented one, and the repeat finds the message.
    for at in [At::Answered, At::Asked, At::Answered, At::Asked] {
        let key = key();
        proxy.cut_next(End::Commit, at);
        let unknown = post(&bot, &general, &key).await?;
        ensure!(unknown["error"] == "request_timeout", "cut when {at:?}: answered {unknown}");
        let message = unknown["response_metadata"]["messages"].to_string();
        ensure!(message.contains("it is not known whether this took effect"), "{unknown}");
        let again = post(&bot, &general, &key).await?;
        let once_more = post(&bot, &general, &key).await?;
        ensure!(again["ok"] == true && again["ts"] == once_more["ts"], "repeated: {again}, {once_more}");
        let page = bot.ok("conversations.history", &[("channel", &general), ("limit", "100")]).await?;
        let there = page["messages"].as_array().context("messages")?;
        let there = there.iter().filter(|message| message["client_msg_id"] == key.as_str()).count();
        ensure!(there == 1, "{there} messages with one key");
    }

    // Under load.
    let before = *cuts.borrow_and_update();
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    for round in 0..30 {
        let next = *cuts.borrow() + 1;
        proxy.cut_next(End::Commit, if round % 2 == 0 { At::Answered } else { At::Asked });
        let cut = tokio::time::timeout(BACK_WITHIN, cuts.wait_for(|count| *count >= next));
        campaign.during(async { cut.await.is_ok_and(|seen| seen.is_ok()) }).await.and_then(|cut| {
            ensure!(cut, "no commit came by");
            Ok(())
        })?;
        campaign.progress(5, BACK_WITHIN).await?;
    }
    let (cut, unknown) = (*cuts.borrow() - before, campaign.load.answered("request_timeout"));
    println!("{cut} commits cut under load, {unknown} requests answered that nobody knows");
    // A batch has one request at least.
    ensure!(cut >= 30 && unknown >= cut, "{cut} commits were cut, and {unknown} requests told so");
    verdict(campaign, &[&server], &cluster).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_network_is_noticed_and_over_when_it_thaws() -> Result<()> {
    if missing("the network freezes") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let proxy = Proxy::start(cluster.port()).await?;
    let server = served(cluster.url_at(proxy.port(), DATABASE)).await?;
    let (bot, general) = (server.bot(), server.channel("general")?.to_owned());
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    campaign.progress(20, BACK_WITHIN).await?;

    // At a moment when a commit has no answer yet. Nothing passes and nothing is closed; whoever asked, and whoever
    // asks now, gets an answer all the same.
    let mut frozen = proxy.ends_cut();
    proxy.cut_next(End::Commit, At::Frozen);
    campaign.during(frozen.wait_for(|count| *count == 1)).await??;
    let (began, load) = (Instant::now(), campaign.load.clone());
    let noticed = async {
        while load.answered("request_timeout") == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    };
    let noticed = tokio::time::timeout(NOTICED_WITHIN, noticed);
    let arguments = [("channel", general.as_str())];
    let read = async { (bot.call("conversations.history", &arguments).await, began.elapsed()) };
    let (shown, noticed, (read, read_after)) =
        campaign.during(async { tokio::join!(shows(&server, false), noticed, read) }).await?;
    let (noticed, read) = (noticed.context("nobody was told that it is not known")?, read?);
    println!("told after {noticed:?} that it is not known, a read after {read_after:?}: {read}");
    ensure!(read["error"] == "service_unavailable", "a read was answered {read}");
    shown?;
    proxy.thaw();
    let outage = began.elapsed();
    campaign.progress(50, BACK_WITHIN).await?;
    shows(&server, true).await?;
    verdict_after(outage, campaign, &[&server], &cluster).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_freezes_at_a_rollback_holds_nobody_up_for_ever() -> Result<()> {
    if missing("the network freezes at a rollback") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let proxy = Proxy::start(cluster.port()).await?;
    let server = served(cluster.url_at(proxy.port(), DATABASE)).await?;
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    campaign.progress(20, BACK_WITHIN).await?;
    // A lock that is not let go: the server gives up waiting, and rolls back.
    let mut holder = cluster.admin_of(DATABASE).await?;
    let held = holder.transaction().await?;
    held.batch_execute("SELECT 1 FROM topics FOR UPDATE").await?;
    let mut frozen = proxy.ends_cut();
    proxy.cut_next(End::Rollback, At::Frozen);
    let rolls_back = tokio::time::timeout(NOTICED_WITHIN, frozen.wait_for(|count| *count == 1));
    campaign.during(async { rolls_back.await.map(|seen| seen.is_ok()) }).await?.context("no rollback")?;
    held.rollback().await?;
    let (began, load) = (Instant::now(), campaign.load.clone());
    let answered = async {
        while load.answered("service_unavailable") + load.answered("request_timeout") == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answered = campaign.during(tokio::time::timeout(ANSWERED_WITHIN, answered)).await?;
    answered.context("nobody was answered")?;
    proxy.thaw();
    let outage = began.elapsed();
    campaign.progress(50, BACK_WITHIN).await?;
    verdict_after(outage, campaign, &[&server], &cluster).await?;
    Ok(())
}
