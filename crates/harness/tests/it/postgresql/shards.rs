//! Two databases, each with some of the workspaces: a request touches one, and one that is down costs the
//! other's workspaces nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::postgres::{Cluster, Options, Stop, missing};
use harness::sandbox::{self, Sandbox};
use harness::socket::{FRAME_WITHIN, Frame, Socket, boot_positions};
use server::config::{Config, Shard};

use super::{BACK_WITHIN, DATABASE, cluster, get};
use crate::workspaces::{Stranger, add_workspace};

/// How long anything may take for a workspace whose database is well, whatever the other's does. The machine is
/// small and busy: a request that waited for the other database would take five seconds.
const UNTOUCHED: Duration = Duration::from_secs(2);

/// A server on two clusters: the seeded workspace on the first, another on the second.
struct Two {
    first: Cluster,
    second: Cluster,
    server: Sandbox,
    stranger: Stranger,
}

impl Two {
    async fn start() -> Result<Two> {
        let (first, second) = (cluster(Options::default()).await?, cluster(Options::default()).await?);
        let shards = [("one", &first), ("two", &second)].map(|(name, cluster)| Shard {
            name: name.to_owned(),
            store: cluster.url(DATABASE),
            accepts_new: true,
        });
        let arguments: Vec<String> = shards
            .iter()
            .flat_map(|it| ["--shard".to_owned(), format!("{}={}", it.name, it.store)])
            .collect();
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data").to_str().context("path")?.to_owned();
        let mut seeding = vec!["seed", "--json", "--data", &data];
        seeding.extend(arguments.iter().map(String::as_str));
        let output = sandbox::parlance(&seeding).await?;
        ensure!(output.status.success(), "{}", output.stderr);
        let seed = serde_json::from_str(&output.stdout)?;
        let config = Config { data, shards: shards.to_vec(), ..Config::default() };
        let stranger = add_workspace(&config, 1).await?;
        let options = sandbox::Options { seed: Some(seed), arguments, ..sandbox::Options::default() };
        let server = Sandbox::start_with(options).await?;
        Ok(Two { first, second, server, stranger })
    }

    fn stranger(&self) -> Api {
        self.server.api(&self.stranger.token)
    }

    /// Somebody of the first workspace posts, reads, boots and hears, each within [`UNTOUCHED`].
    async fn first_is_untouched(&self, text: &str) -> Result<()> {
        let (ann, general) = (self.server.person(0)?, self.server.channel("general")?);
        let mut slowest = Duration::ZERO;
        for round in 0..10 {
            let began = Instant::now();
            let positions = boot_positions(&ann).await?;
            let mut socket = Socket::realtime(&ann).await?;
            socket.resume(&positions).await?;
            socket.all_live(&positions).await?;
            let text = format!("{text} {round}");
            ann.post(general, &text).await?;
            hears(&mut socket, &text).await?;
            ann.ok("conversations.history", &[("channel", general)]).await?;
            slowest = slowest.max(began.elapsed());
        }
        println!("{text}: a boot, a post and its echo took {slowest:?} at most");
        ensure!(slowest < UNTOUCHED, "{text}: {slowest:?}");
        Ok(())
    }

    /// What `/readyz` and the metric say of the second database.
    async fn second_shows(&self, up: bool) -> Result<()> {
        let began = Instant::now();
        loop {
            let (status, text) = get(&self.server, "/readyz").await?;
            ensure!(status == 200, "one database is well, and /readyz says {status} {text}");
            let metrics = get(&self.server, "/metrics").await?.1;
            let gauge = format!("parlance_store_up{{shard=\"two\"}} {}", u8::from(up));
            if text.contains("two") != up && metrics.contains(&gauge) {
                return Ok(());
            }
            ensure!(began.elapsed() < BACK_WITHIN, "not shown that up is {up}: {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Waits for a message.
async fn hears(socket: &mut Socket, text: &str) -> Result<()> {
    loop {
        match socket.next(FRAME_WITHIN).await? {
            Frame::Json(frame) if frame["type"] == "message" && frame["text"] == text => return Ok(()),
            Frame::Json(_) => {}
            other => anyhow::bail!("{other:?} instead of {text:?}"),
        }
    }
}

/// Rows that statements of the server have looked at in a table, by index or not.
async fn looks(cluster: &Cluster, tables: &str) -> Result<i64> {
    let sql = format!(
        "SELECT coalesce(sum(coalesce(idx_scan, 0) + coalesce(seq_scan, 0) + n_tup_ins + n_tup_upd), 0)::bigint \
         FROM pg_stat_user_tables WHERE relname IN ({tables})"
    );
    Ok(cluster.admin_of(DATABASE).await?.query_one(&sql, &[]).await?.get(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_touches_one_database() -> Result<()> {
    if missing("requests and shards") {
        return Ok(());
    }
    const TABLES: &str = "'credentials', 'users', 'messages', 'events', 'channels', 'memberships', 'topics', \
                          'idempotency', 'mentions', 'tickets', 'placements', 'workspaces'";
    let two = Two::start().await?;
    // Both are known now.
    two.first_is_untouched("warm").await?;
    two.stranger().post(&two.stranger.general, "warm").await?;
    // PostgreSQL counts a moment later.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (first, second) = (looks(&two.first, TABLES).await?, looks(&two.second, TABLES).await?);
    two.first_is_untouched("counted").await?;
    let began = Instant::now();
    while looks(&two.first, TABLES).await? < first + 100 {
        ensure!(began.elapsed() < Duration::from_secs(20), "PostgreSQL does not count");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let touched = looks(&two.second, TABLES).await? - second;
    println!("{} looks at the first, {touched} at the second", looks(&two.first, TABLES).await? - first);
    ensure!(touched == 0, "requests of the first workspace looked at the second database {touched} times");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_costs_the_others_workspaces_nothing() -> Result<()> {
    if missing("a shard is down") {
        return Ok(());
    }
    let mut two = Two::start().await?;
    two.first_is_untouched("both up").await?;
    let stranger = two.stranger();
    let general = two.stranger.general.clone();
    stranger.post(&general, "before").await?;
    let positions = boot_positions(&stranger).await?;
    let mut socket = Socket::realtime(&stranger).await?;
    socket.resume(&positions).await?;
    socket.all_live(&positions).await?;

    two.second.kill().await?;
    // Requests of the other workspace wait for their database at first; they hold up nobody.
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (api, general) = (two.stranger(), general.clone());
            tokio::spawn(async move {
                api.refused("chat.postMessage", &[("channel", &general), ("text", "down")]).await
            })
        })
        .collect();
    two.first_is_untouched("the other is down").await?;
    for refused in waiting {
        let refused = refused.await??;
        ensure!(matches!(refused.as_str(), "service_unavailable" | "request_timeout"), "answered {refused}");
    }
    two.second_shows(false).await?;
    let refused = stranger.refused("conversations.history", &[("channel", &general)]).await?;
    ensure!(refused == "service_unavailable", "answered {refused}");

    // A server that starts now serves the first workspace, and does not say of the other that it never was.
    two.server.kill().await?;
    two.server.restart().await?;
    two.first_is_untouched("started without it").await?;
    let refused = two.stranger().refused("auth.test", &[]).await?;
    ensure!(refused == "service_unavailable", "answered {refused}");
    two.second_shows(false).await?;

    two.second.launch().await?;
    let began = Instant::now();
    while two.stranger().post(&general, "again").await.is_err() {
        ensure!(began.elapsed() < BACK_WITHIN, "it does not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("back after {:?}", began.elapsed());
    two.second_shows(true).await?;
    let history = two.stranger().ok("conversations.history", &[("channel", &general)]).await?;
    let texts: Vec<&str> = history["messages"]
        .as_array()
        .context("messages")?
        .iter()
        .filter(|message| message["subtype"].is_null())
        .filter_map(|message| message["text"].as_str())
        .collect();
    let lost = texts.last() != Some(&"before") || texts.first() != Some(&"again");
    ensure!(!lost, "its history is {texts:?}");
    two.first_is_untouched("both up again").await?;
    two.second.stop(Stop::Fast).await?;
    two.first.stop(Stop::Fast).await
}
