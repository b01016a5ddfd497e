//! I10: PostgreSQL's disk is full.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::postgres::{Options, missing};

use super::{BACK_WITHIN, DATABASE, cluster, key, not_there, seed, served, verdict};
use crate::campaign::Campaign;
use crate::disk::SmallDisk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_postgresql_refuses_loses_nothing_and_recovers() -> Result<()> {
    if missing("a full disk of PostgreSQL") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let Some(_disk) = SmallDisk::mount(folder.path(), 110) else {
        harness::skip("a full disk of PostgreSQL", "mount -t tmpfs needs root");
        return Ok(());
    };
    // The log of a small cluster is two files of 16 MB, so that the tables feel the end of the room and not the
    // log: a log without room ends PostgreSQL, which the outages are about.
    let settings = vec![("max_wal_size", "32MB".to_owned()), ("min_wal_size", "32MB".to_owned())];
    let mut cluster =
        cluster(Options { folder: Some(folder.path().to_path_buf()), settings, ..Options::default() })
            .await?;
    let server = served(cluster.url(DATABASE)).await?;
    let (bot, general) = (server.bot(), server.channel("general")?.to_owned());
    let mut campaign = Campaign::start(&[&server], seed()?).await?;
    campaign.progress(20, BACK_WITHIN).await?;

    let ballast = folder.path().join("ballast");
    let fill = Command::new("dd")
        .arg("if=/dev/zero")
        .arg(format!("of={}", ballast.display()))
        .arg("bs=4k")
        .output()?;
    ensure!(!fill.status.success(), "dd was to run out of room");
    let text = "x".repeat(8_000);
    let full = async {
        loop {
            let key = key();
            let arguments =
                [("channel", general.as_str()), ("text", text.as_str()), ("client_msg_id", key.as_str())];
            let answer = bot.call("chat.postMessage", &arguments).await?;
            if answer["error"] == "service_unavailable" && answer.to_string().contains("disk is full") {
                return anyhow::Ok(key);
            }
        }
    };
    let full = campaign.during(tokio::time::timeout(Duration::from_secs(40), full)).await?;
    println!(
        "PostgreSQL said {} times that there is no room; answers {:?}",
        no_room(&cluster.log()),
        campaign.load.answers()
    );
    let refused = full.with_context(|| {
        format!("never told that the disk is full; PostgreSQL's log:\n{}", cluster.log_end())
    })??;
    let read = bot.call("conversations.history", &[("channel", &general), ("limit", "5")]).await?;
    ensure!(read["ok"] == true, "a read while the disk is full was answered {read}");

    std::fs::remove_file(&ballast)?;
    if !cluster.runs()? {
        // Its log found no room: it ended, and somebody starts it again.
        println!("PostgreSQL had ended");
        cluster.launch().await?;
    }
    campaign.progress(20, BACK_WITHIN).await?;
    let history = verdict(campaign, &[&server], &cluster).await?;
    not_there(&history, &refused)
}

fn no_room(log: &str) -> usize {
    log.lines().filter(|line| line.contains("No space left on device")).count()
}
