//! Moving an installation to PostgreSQL, backing it up, putting it back: what operators and clients see of
//! it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::postgres::{self, Cluster};
use harness::sandbox::{Options, Output, Sandbox, command, parlance, seed};
use harness::socket::{FRAME_WITHIN, Frame, Positions, Socket, boot_positions};
use harness::view::{Change, View};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An empty database in a cluster of the test's own.
struct Database {
    url: String,
    _cluster: Cluster,
}

/// Makes it, or says that there is no PostgreSQL.
async fn database(test: &str) -> Result<Option<Database>> {
    if postgres::missing(test) {
        return Ok(None);
    }
    let cluster = Cluster::start(postgres::Options::default()).await?;
    cluster.create_database("moved").await?;
    Ok(Some(Database { url: cluster.url("moved"), _cluster: cluster }))
}

/// Runs a statement; returns the first value.
async fn query(url: &str, sql: &str) -> Result<Option<String>> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(connection);
    let messages = client.simple_query(sql).await?;
    drop(client);
    driver.await??;
    Ok(messages.into_iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

/// A server whose store is what a configuration file says, so that it can be another after a restart.
struct Movable {
    server: Sandbox,
    config: PathBuf,
    _folder: TempDir,
}

impl Movable {
    async fn start() -> Result<Movable> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("parlance.toml");
        std::fs::write(&config, "")?;
        let arguments = vec!["--config".to_owned(), text(&config).to_owned()];
        let server = Sandbox::start_with(Options { arguments, ..Options::default() }).await?;
        Ok(Movable { server, config, _folder: folder })
    }

    fn store(&self, url: &str) -> Result<()> {
        Ok(std::fs::write(&self.config, format!("store = {url:?}\n"))?)
    }
}

fn done(output: &Output) -> Result<()> {
    ensure!(output.status.success(), "{}{}", output.stdout, output.stderr);
    Ok(())
}

fn refused(output: &Output, reason: &str) {
    assert!(!output.status.success(), "{}", output.stdout);
    assert!(output.stderr.contains(reason), "{}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
}

async fn texts(api: &Api, channel: &str) -> Result<Vec<String>> {
    Ok(api.snapshot(channel).await?.messages.into_iter().map(|message| message.text).collect())
}

#[tokio::test]
async fn an_installation_moves_to_postgresql_and_back() -> Result<()> {
    let Some(database) = database("an_installation_moves_to_postgresql_and_back").await? else {
        return Ok(());
    };
    let url = database.url.clone();
    let mut moved = Movable::start().await?;
    let data = moved.server.data().to_owned();
    let general = moved.server.channel("general")?.to_owned();
    let ann = moved.server.person(0)?;
    ann.post(&general, "before the move").await?;
    let before = texts(&ann, &general).await?;
    let positions = boot_positions(&ann).await?;

    let migrate = ["migrate", "--from", text(&data), "--store", &url];
    refused(&parlance(&migrate).await?, "stop the server first");
    moved.server.terminate().await?;
    let output = parlance(&migrate).await?;
    done(&output)?;
    assert!(
        output.stderr.contains("100 % copied") && output.stderr.contains("100 % compared"),
        "{}",
        output.stderr
    );
    assert!(output.stdout.contains("same on both sides") && output.stdout.contains("parlance serve --data"));
    let again = parlance(&migrate).await?;
    done(&again)?;
    assert!(again.stdout.contains("compared before"), "{}", again.stdout);

    // A client that was connected before goes on where it was: nothing was restored.
    moved.store(&url)?;
    moved.server.restart().await?;
    assert_eq!(texts(&ann, &general).await?, before);
    let mut device = Socket::realtime(&ann).await?;
    device.resume(&positions).await?;
    let frames = device.all_live(&positions).await?;
    assert!(frames.iter().all(|frame| frame["type"] != "_reset"), "{frames:?}");
    ann.post(&general, "on PostgreSQL").await?;
    device.until("the post", |frame| frame["text"] == "on PostgreSQL").await?;

    // A backup while it runs is a file that a laptop can be restored from.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("backup.db");
    let backup = ["backup", "--store", &url, "--to", text(&file)];
    done(&parlance(&backup).await?)?;
    refused(&parlance(&backup).await?, "nothing is overwritten");
    let laptop = folder.path().join("laptop");
    done(&parlance(&["restore", "--from", text(&file), "--data", text(&laptop)]).await?)?;
    let copy = Sandbox::on(&laptop, moved.server.seed.clone()).await?;
    assert_eq!(texts(&copy.person(0)?, &general).await?.last().map(String::as_str), Some("on PostgreSQL"));
    copy.person(0)?.post(&general, "on the laptop").await?;

    // The old directory takes nothing that would be lost, until it is taken back: it is not even served.
    moved.server.terminate().await?;
    moved.store("sqlite")?;
    let output = parlance(&["serve", "--data", text(&data), "--listen", "127.0.0.1:0"]).await?;
    refused(&output, "has moved to a database");
    refused(&output, "--take-back");
    let take_back = ["restore", "--in-place", "--take-back", "--data", text(&data)];
    let served = ["restore", "--in-place", "--take-back", "--data", text(&laptop)];
    refused(&parlance(&served).await?, "stop the server first");
    done(&parlance(&take_back).await?)?;
    moved.server.restart().await?;
    ann.post(&general, "back again").await?;
    assert_eq!(texts(&ann, &general).await?.len(), before.len() + 1);
    Ok(())
}

/// Kills a migration with SIGKILL once it has said how far it is, and returns that. `None`: it was done
/// before.
async fn kill_migration(from: &Path, url: &str) -> Result<Option<String>> {
    let mut command = command()?;
    command.args(["migrate", "--from", text(from), "--store", url]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn()?;
    let mut said = BufReader::new(process.stderr.take().context("stderr")?).lines();
    let line = said.next_line().await?.context("it said nothing")?;
    ensure!(line.contains(" % "), "{line}");
    process.start_kill()?;
    let killed = !process.wait().await?.success();
    Ok(Some(line).filter(|_| killed))
}

#[tokio::test]
async fn a_migration_that_is_killed_goes_on() -> Result<()> {
    let Some(database) = database("a_migration_that_is_killed_goes_on").await? else { return Ok(()) };
    let url = database.url.clone();
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let seeded = seed(&data, 5_000).await?;
    let (mut kills, mut last) = (0, 0);
    while kills < 3
        && let Some(line) = kill_migration(&data, &url).await?
    {
        kills += 1;
        let rows = query(&url, "SELECT sum(rows) FROM transfer_progress WHERE item <> ''").await?;
        let rows: u64 = rows.context("no progress")?.parse()?;
        let went_on = if line.contains("copied") { rows > last } else { rows == last };
        assert!(went_on, "{rows} rows after {last}, and it said {line}");
        last = rows;
        let states = query(&url, "SELECT max(state) || ' ' || min(state) FROM placements").await?;
        assert_eq!(states.as_deref(), Some("2 2"), "it takes writes too early");
    }
    ensure!(kills > 0, "no kill found it at work");
    let output = parlance(&["migrate", "--from", text(&data), "--store", &url]).await?;
    done(&output)?;
    let server = Options {
        data: Some(folder.path().join("new")),
        arguments: vec!["--store".to_owned(), url.clone()],
        ..Options::default()
    };
    let served = served(server, seeded).await?;
    let api = served.person(0)?;
    let members = api.ok("users.list", &[("limit", "10")]).await?;
    assert_eq!(members["members"].as_array().map(Vec::len), Some(10), "{members}");
    let members = query(&url, "SELECT count(*) FROM users").await?;
    assert_eq!(members.as_deref(), Some("5004"), "three people, a bot and the members");
    api.post(served.channel("general")?, "all here").await?;
    Ok(())
}

/// Serves what was seeded elsewhere with arguments of its own.
async fn served(options: Options, seeded: harness::sandbox::Seed) -> Result<Sandbox> {
    let mut server = Sandbox::start_with(options).await?;
    server.seed = seeded;
    Ok(server)
}

/// A device that applies what it gets to its view of one channel.
struct Device {
    api: Api,
    channel: String,
    positions: Positions,
    view: View,
}

impl Device {
    async fn boot(api: &Api, channel: &str) -> Result<Device> {
        let positions = boot_positions(api).await?;
        let view = View::new(api.snapshot(channel).await?.messages);
        Ok(Device { api: api.clone(), channel: channel.to_owned(), positions, view })
    }

    /// Connects, resumes, and reads until each topic is live. Returns the topics that were reset.
    async fn resume(&mut self) -> Result<(Socket, Vec<String>)> {
        let mut socket = Socket::realtime(&self.api).await?;
        socket.resume(&self.positions).await?;
        let mut unanswered: Vec<String> = self.positions.keys().cloned().collect();
        let mut reset = Vec::new();
        while !unanswered.is_empty() {
            let Frame::Json(frame) = socket.next(FRAME_WITHIN).await? else { anyhow::bail!("closed") };
            let topic = frame["t"].as_str().unwrap_or_default().to_owned();
            if frame["type"] == "_reset" {
                let position = |key: &str| frame[key].as_u64().context("position");
                self.positions.insert(topic.clone(), (position("g")?, position("s")?));
                if topic == self.channel {
                    self.view = View::new(self.api.snapshot(&topic).await?.messages);
                }
                reset.push(topic.clone());
            }
            if frame["type"] == "_reset" || frame["type"] == "_live" {
                unanswered.retain(|waiting| *waiting != topic);
            }
            self.apply(&frame);
        }
        Ok((socket, reset))
    }

    /// Reads events until one says `text`.
    async fn read_until(&mut self, socket: &mut Socket, text: &str) -> Result<()> {
        loop {
            let Frame::Json(frame) = socket.next(FRAME_WITHIN).await? else { anyhow::bail!("closed") };
            self.apply(&frame);
            if frame["text"] == text {
                return Ok(());
            }
        }
    }

    fn apply(&mut self, frame: &Value) {
        let Some(position) = self.positions.get_mut(&self.channel) else { return };
        if frame["_p"]["t"] != self.channel.as_str() {
            return;
        }
        let seq = frame["_p"]["s"].as_u64().unwrap_or_default();
        assert_eq!((frame["_p"]["g"].as_u64(), seq), (Some(position.0), position.1 + 1), "{frame}");
        position.1 = seq;
        assert!(self.view.apply(&Change::parse(frame)), "{frame}");
    }

    fn texts(&self) -> Vec<&str> {
        self.view.messages.values().map(|message| message.text.as_str()).collect()
    }
}

/// A client that saw messages newer than the backup starts from a snapshot and ends with what there is.
async fn clients_are_reset(url: Option<&str>) -> Result<()> {
    let mut moved = Movable::start().await?;
    let data = moved.server.data().to_owned();
    let general = moved.server.channel("general")?.to_owned();
    let ann = moved.server.person(0)?;
    ann.post(&general, "in the backup").await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("backup.db");
    done(&parlance(&["backup", "--data", text(&data), "--to", text(&file)]).await?)?;
    let mut device = Device::boot(&ann, &general).await?;
    let (mut socket, reset) = device.resume().await?;
    assert!(reset.is_empty(), "{reset:?}");
    for text in ["lost one", "lost two", "lost three"] {
        ann.post(&general, text).await?;
        device.read_until(&mut socket, text).await?;
    }
    moved.server.terminate().await?;

    std::fs::rename(&data, folder.path().join("broken"))?;
    let mut restore = vec!["restore", "--from", text(&file), "--data", text(&data)];
    restore.extend(url.iter().flat_map(|url| ["--store", url]));
    let output = parlance(&restore).await?;
    done(&output)?;
    assert!(output.stdout.contains("same on both sides") && output.stdout.contains("new generation"));
    if let Some(url) = url {
        moved.store(url)?;
    }
    moved.server.restart().await?;
    // As many as were lost, so that the old position would look like one of the new history.
    for text in ["new one", "new two", "new three"] {
        ann.post(&general, text).await?;
    }
    let topics = device.positions.len();
    let (mut socket, reset) = device.resume().await?;
    assert_eq!(reset.len(), topics, "{reset:?}");
    ann.post(&general, "and on").await?;
    device.read_until(&mut socket, "and on").await?;
    let end = View::new(ann.snapshot(&general).await?.messages);
    assert_eq!(device.view, end);
    assert!(device.texts().iter().all(|text| !text.starts_with("lost")), "{:?}", device.texts());
    assert!(device.texts().ends_with(&["in the backup", "new one", "new two", "new three", "and on"]));

    // A store that was put back by other means.
    moved.server.terminate().await?;
    let mut in_place = vec!["restore", "--in-place", "--data", text(&data)];
    in_place.extend(url.iter().flat_map(|url| ["--store", url]));
    done(&parlance(&in_place).await?)?;
    moved.server.restart().await?;
    assert_eq!(device.resume().await?.1.len(), topics);
    Ok(())
}

#[tokio::test]
async fn after_a_restore_clients_start_from_a_snapshot() -> Result<()> {
    clients_are_reset(None).await
}

#[tokio::test]
async fn after_a_restore_into_postgresql_clients_start_from_a_snapshot() -> Result<()> {
    let test = "after_a_restore_into_postgresql_clients_start_from_a_snapshot";
    match database(test).await? {
        Some(database) => clients_are_reset(Some(&database.url)).await,
        None => Ok(()),
    }
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_in_a_sentence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, nothing, note) = (at("data"), at("nothing"), at("note"));
    seed(Path::new(&data), 0).await?;
    std::fs::write(&note, "only a text")?;
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let shards = at("shards.toml");
    std::fs::write(&shards, "[[shards]]\nname = \"a\"\nstore = \"postgres://nobody@127.0.0.1:1/a\"\n")?;
    let cases: [(&[&str], &str); 12] = [
        (&["backup", "--config", &shards, "--to", &at("file")], "name one with --store"),
        (&["restore", "--config", &shards, "--from", &note, "--data", &at("new")], "name one with --store"),
        (&["migrate", "--config", &shards, "--from", &data], "name one with --store"),
        (&["backup", "--config", &shards, "--store", nowhere, "--to", &at("file")], "the database"),
        (&["migrate", "--from", &data], "--store says where to"),
        (&["migrate", "--from", &nothing, "--store", nowhere], "holds no store"),
        (&["migrate", "--from", &data, "--store", nowhere], "postgres://127.0.0.1:1/nothing"),
        (&["backup", "--store", nowhere, "--to", &at("file")], "the database"),
        (&["restore", "--from", &nothing, "--data", &at("new")], "there is no such file"),
        (&["restore", "--from", &note, "--data", &at("new")], "it is no SQLite database"),
        (&["restore", "--data", &at("new")], "--from"),
        (&["restore", "--from", &note, "--in-place", "--data", &at("new")], "cannot be used with"),
    ];
    for (arguments, reason) in cases {
        refused(&parlance(arguments).await?, reason);
    }
    refused(&parlance(&["restore", "--from", &note, "--data", &data]).await?, "it is no SQLite database");
    assert!(
        !Path::new(&nothing).exists() && !Path::new(&at("new")).exists() && !Path::new(&at("file")).exists()
    );
    // Nothing of it has touched the store.
    let server = Sandbox::on(Path::new(&data), seed(Path::new(&data), 0).await?).await?;
    server.bot().ok("auth.test", &[]).await?;
    Ok(())
}
