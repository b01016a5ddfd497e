//! I10: a full disk refuses writes clearly, loses nothing, and is over when there is room.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use harness::sandbox::{Options, Sandbox};

/// A small file system in memory, unmounted when dropped.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    pub(crate) fn mount(at: &Path, megabytes: u32) -> Option<SmallDisk<'_>> {
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(self.0).status().ok();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_loses_nothing_and_recovers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(_disk) = SmallDisk::mount(folder.path(), 48) else {
        harness::skip("a full disk", "mount -t tmpfs needs root");
        return Ok(());
    };
    let data = folder.path().join("data");
    let mut server = Sandbox::start_with(Options { data: Some(data), ..Options::default() }).await?;
    let general = server.channel("general")?.to_owned();
    let bot = server.bot();
    let mut acknowledged = vec![bot.post(&general, "before").await?];

    // Fill the disk to the last byte.
    let filler = folder.path().join("filler");
    let output = Command::new("dd")
        .arg("if=/dev/zero")
        .arg(format!("of={}", filler.display()))
        .args(["bs=4k"])
        .output()?;
    assert!(!output.status.success(), "dd was to run out of room");

    // What the files have allocated may still take a few; then it must refuse, and go on refusing.
    let text = "x".repeat(8_000);
    let mut refusals = Vec::new();
    for n in 0..3000 {
        let key = uuid::Uuid::new_v4().to_string();
        let arguments =
            [("channel", general.as_str()), ("text", text.as_str()), ("client_msg_id", key.as_str())];
        let answer = bot
            .call("chat.postMessage", &arguments)
            .await
            .with_context(|| format!("post {n} on a full disk got no answer; the log:\n{}", server.log()))?;
        match answer["ok"].as_bool() {
            Some(true) => {
                assert!(refusals.is_empty(), "accepted on a disk that is still full");
                acknowledged.push(answer["ts"].as_str().unwrap().to_owned());
            }
            _ => refusals.push((key, answer["error"].as_str().unwrap_or_default().to_owned())),
        }
        if refusals.len() == 5 {
            break;
        }
    }
    assert_eq!(refusals.len(), 5, "never refused");
    let error = refusals[0].1.clone();
    println!("refused with {error} after {} were accepted", acknowledged.len());
    assert_eq!(error, "service_unavailable", "as docs/api/errors.md says");
    assert!(server.pid().is_some());
    // It shows within ten seconds (I12).
    let began = std::time::Instant::now();
    loop {
        let ready = bot.request(reqwest::Method::GET, "/readyz").send().await?;
        let (status, text) = (ready.status(), ready.text().await?);
        if status == 503 && text.contains("the disk is full") {
            break;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "readyz says {status} {text}");
        // What was refused speaks for the disk for a while only.
        assert_eq!(bot.refused("chat.postMessage", &[("channel", &general), ("text", &text)]).await?, error);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // Reading goes on.
    let page = bot.ok("conversations.history", &[("channel", &general), ("limit", "5")]).await?;
    assert_eq!(page["messages"][0]["ts"], acknowledged.last().unwrap().as_str());

    std::fs::remove_file(&filler)?;
    // The very same request, repeated with its key, goes through.
    let arguments =
        [("channel", general.as_str()), ("text", text.as_str()), ("client_msg_id", refusals[0].0.as_str())];
    let recovered = async {
        loop {
            let answer = bot.call("chat.postMessage", &arguments).await?;
            if answer["ok"] == true {
                return anyhow::Ok(answer["ts"].as_str().unwrap().to_owned());
            }
        }
    };
    let recovered = tokio::time::timeout(std::time::Duration::from_secs(20), recovered).await;
    acknowledged.push(recovered.context("no recovery within 20 s of there being room")??);
    acknowledged.push(bot.post(&general, "after").await?);

    server.kill().await?;
    server.restart().await?;
    let snapshot = server.bot().snapshot(&general).await?;
    let there: Vec<&str> = snapshot.messages.iter().map(|message| message.ts.as_str()).collect();
    for ts in &acknowledged {
        assert!(there.contains(&ts.as_str()), "{ts} was acknowledged and is lost");
    }
    // The four others were refused and never repeated.
    let keys: Vec<&str> =
        snapshot.messages.iter().filter_map(|message| message.client_msg_id.as_deref()).collect();
    for (key, _) in &refusals[1..] {
        assert!(!keys.contains(&key.as_str()), "{key} was refused and is there");
    }
    Ok(())
}
