//! Several servers on one database.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::history::{Action, Outcome, Seen};
use harness::postgres::{Options, missing};
use harness::socket::{Positions, Socket};
use reqwest::Method;
use serde_json::Value;

use super::{BACK_WITHIN, DATABASE, beside, cluster, seed, served, verdict};
use crate::campaign::{Campaign, DELIVER_WITHIN};
use crate::load::Random;
use crate::sessions::{OWN_HEADER, error_of, sign_in, with_cookie};

/// How often one of two is killed.
const KILLS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_write_the_same_channels_and_hear_each_other() -> Result<()> {
    if missing("two servers") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let one = served(cluster.url(DATABASE)).await?;
    let two = beside(&one, cluster.url(DATABASE)).await?;
    let mut campaign = Campaign::start(&[&one, &two], seed()?).await?;
    campaign.run_for(Duration::from_secs(5)).await?;
    // The judge's I8 is about every listener, wherever it listens; here it is shown that it had something to judge.
    let history = verdict(campaign, &[&one, &two], &cluster).await?;
    let members: Vec<&str> = one.seed.members.iter().map(|member| member.id.as_str()).collect();
    // Senders take turns between the two servers, as devices do.
    let of_one = |user: &str| members.iter().position(|member| *member == user).is_some_and(|n| n % 2 == 0);
    let posts = |by_one: bool| {
        let mine = history.operations.iter().filter(move |post| of_one(&post.author) == by_one);
        mine.filter(|post| matches!((&post.action, &post.outcome), (Action::Post { .. }, Outcome::Done(_))))
            .count()
    };
    let live = |server: &str| {
        let there = history.listeners.iter().filter(|listener| listener.name.ends_with(server));
        let events = there.flat_map(|listener| &listener.seen);
        events.filter(|observation| matches!(observation.seen, Seen::Event(..) | Seen::Page { .. })).count()
    };
    println!(
        "{} posts on one, {} on the other; {} and {} frames with events heard there",
        posts(true),
        posts(false),
        live(one.address()),
        live(two.address())
    );
    ensure!(posts(true) > 20 && posts(false) > 20, "too little was written on one of the two");
    Ok(())
}

#[tokio::test]
async fn signing_out_on_one_server_ends_the_sessions_on_the_other() -> Result<()> {
    if missing("signing out on another server") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let one = served(cluster.url(DATABASE)).await?;
    let two = beside(&one, cluster.url(DATABASE)).await?;
    let (here, there) = (sign_in(&one, 0).await?, sign_in(&two, 0).await?);
    let request = with_cookie(&two, Method::POST, "/realtime/v1/connect", &there);
    let answer: Value = request.header(OWN_HEADER, "1").send().await?.json().await?;
    let mut socket = Socket::open(answer["url"].as_str().context("url")?, Some(two.url())).await?;
    socket.resume(&Positions::new()).await?;
    let request = with_cookie(&one, Method::POST, "/api/parlance.signout", &here);
    let error = error_of(request.header(OWN_HEADER, "1").form(&[("all", "true")])).await?;
    ensure!(error == "none", "signing out answered {error}");
    let began = Instant::now();
    ensure!(socket.closed(DELIVER_WITHIN).await? == Some(4500), "the session on the other server goes on");
    println!("its session ended after {:?}", began.elapsed());
    Ok(())
}

#[tokio::test]
async fn servers_that_start_at_once_on_an_empty_database_all_come_up() -> Result<()> {
    if missing("servers start at once") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let first = served(cluster.url(DATABASE)).await?;
    cluster.create_database("empty").await?;
    let url = cluster.url("empty");
    let (one, two, three) =
        tokio::join!(beside(&first, url.clone()), beside(&first, url.clone()), beside(&first, url.clone()));
    for server in [one?, two?, three?] {
        // Nobody is in it: the schema is there, once.
        let refused = server.bot().refused("auth.test", &[]).await?;
        ensure!(refused == "invalid_auth", "auth.test answered {refused}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_servers_is_killed_and_the_other_misses_nothing() -> Result<()> {
    if missing("one of two servers is killed") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let one = served(cluster.url(DATABASE)).await?;
    let mut two = beside(&one, cluster.url(DATABASE)).await?;
    let seed = seed()?;
    let mut random = Random(seed | 1);
    let mut campaign = Campaign::start(&[&one, &two], seed).await?;
    let mut hits = 0;
    for _ in 0..KILLS {
        campaign.run_for(Duration::from_millis(u64::try_from(300 + random.below(700))?)).await?;
        hits += usize::from(cluster.open_writes(DATABASE).await? > 0);
        two.kill().await?;
        // The other one goes on alone: a transaction of the dead does not hold it up.
        campaign.progress(20, BACK_WITHIN).await?;
        two.restart().await?;
        campaign.resolved().await?;
    }
    println!("{KILLS} kills, {hits} of them with a transaction that had written");
    ensure!(hits > 0, "no kill met a transaction");
    campaign.load.answers.lock().unwrap().remove("no answer");
    verdict(campaign, &[&one, &two], &cluster).await?;
    Ok(())
}
