//! The command line: configuration, one process per data directory, backup, drain.

use std::path::Path;

use anyhow::{Context, Result};
use harness::sandbox::{Options, Sandbox, parlance, parlance_with, seed};
use harness::socket::{FRAME_WITHIN, Frame, Socket, boot_positions};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn seeding_again_prints_the_same() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let arguments = ["seed", "--data", path(&data), "--json", "--members", "3"];
    let first = parlance(&arguments).await?;
    let again = parlance(&arguments).await?;
    assert!(first.status.success(), "{}", first.stderr);
    assert_eq!(first.stdout, again.stdout);
    let seed: harness::sandbox::Seed = serde_json::from_str(&first.stdout)?;
    assert_eq!((seed.people.len(), seed.members.len()), (3, 3));
    // The tokens are in no file that others may read.
    let mut folders = vec![data.clone()];
    let mut found = 0;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let file = entry?.path();
            if file.is_dir() {
                folders.push(file);
            } else if std::fs::read(&file)?.windows(20).any(|part| part == &seed.bot.token.as_bytes()[..20]) {
                found += 1;
                assert_eq!(file.metadata()?.permissions().mode() & 0o777, 0o600, "{}", file.display());
                assert!(
                    !file.extension().is_some_and(|extension| extension == "db" || extension == "db-wal")
                );
            }
        }
    }
    assert_eq!(found, 1, "the seed's file is the only one with a token in the clear");
    Ok(())
}

#[tokio::test]
async fn a_second_process_is_refused() -> Result<()> {
    let server = Sandbox::start().await?;
    let second = parlance(&["serve", "--data", path(server.data()), "--listen", "127.0.0.1:0"]).await?;
    assert!(!second.status.success());
    let text = second.stderr.to_ascii_lowercase();
    assert!(
        text.contains("in use") || text.contains("already") || text.contains("another process"),
        "{text}"
    );
    assert!(!text.contains("panicked"), "{text}");
    server.bot().ok("auth.test", &[]).await?;
    Ok(())
}

#[tokio::test]
async fn a_port_in_use_is_named() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let folder = tempfile::tempdir()?;
    let refused = parlance(&["serve", "--data", path(folder.path()), "--listen", &address]).await?;
    assert!(!refused.status.success());
    assert!(refused.stderr.contains(&address), "{}", refused.stderr);
    Ok(())
}

#[tokio::test]
async fn the_default_configuration_is_valid_and_unknown_keys_are_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("parlance.toml");
    let default = parlance(&["config", "default"]).await?;
    assert!(default.status.success(), "{}", default.stderr);
    std::fs::write(&file, &default.stdout)?;
    let check = parlance(&["config", "check", "--config", path(&file)]).await?;
    assert!(check.status.success(), "{}", check.stderr);
    let dump = parlance(&["config", "dump", "--config", path(&file)]).await?;
    assert!(dump.status.success(), "{}", dump.stderr);
    assert!(dump.stdout.contains("listen"), "{}", dump.stdout);

    std::fs::write(&file, format!("lissten = \"127.0.0.1:1\"\n{}", default.stdout))?;
    for command in [vec!["config", "check", "--config", path(&file)], vec!["serve", "--config", path(&file)]]
    {
        let refused = parlance(&command).await?;
        assert!(!refused.status.success(), "{command:?}");
        assert!(refused.stderr.contains("lissten"), "{}", refused.stderr);
    }
    for (name, value) in [
        ("PARLANCE_LISSTEN", "127.0.0.1:1"),
        ("PARLANCE_RATE_LIMITS", "sometimes"),
        ("PARLANCE_LISTEN", "here"),
    ] {
        let refused = parlance_with(&["config", "check"], &[(name, value)]).await?;
        assert!(!refused.status.success(), "{name}={value}");
        let text = refused.stderr.to_ascii_lowercase().replace(['-', '_'], "");
        let key = name.trim_start_matches("PARLANCE_").to_ascii_lowercase().replace('_', "");
        assert!(text.contains(&key), "{name}={value}: {}", refused.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    seed(&data, 0).await?;
    let file = database(&data)?;
    let newer = {
        let connection = rusqlite::Connection::open(&file)?;
        let table: String = connection.query_row(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%migration%'",
            [],
            |row| row.get(0),
        )?;
        // One more migration than this binary knows, otherwise like the last one.
        let columns: Vec<String> = connection
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let values: Vec<String> = columns
            .iter()
            .map(|column| if column == "version" { "version + 1000".to_owned() } else { column.clone() })
            .collect();
        connection.execute(
            &format!(
                "INSERT INTO {table} SELECT {} FROM {table} ORDER BY version DESC LIMIT 1",
                values.join(", ")
            ),
            [],
        )?;
        table
    };
    let refused = parlance(&["serve", "--data", path(&data), "--listen", "127.0.0.1:0"]).await?;
    assert!(!refused.status.success());
    let text = refused.stderr.to_ascii_lowercase();
    assert!(text.contains("newer"), "{text}");
    let connection = rusqlite::Connection::open(&file)?;
    let rows: i64 =
        connection.query_row(&format!("SELECT max(version) FROM {newer}"), [], |row| row.get(0))?;
    assert!(rows > 1000);
    Ok(())
}

/// The only SQLite file of a data directory.
fn database(data: &Path) -> Result<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(data)? {
        let file = entry?.path();
        if std::fs::read(&file).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3")) {
            found.push(file);
        }
    }
    found.pop().context("no database")
}

#[tokio::test]
async fn a_backup_of_a_running_server_holds_everything_acknowledged_before() -> Result<()> {
    let server = Sandbox::start().await?;
    let general = server.channel("general")?.to_owned();
    let ann = server.person(0)?;
    let ts = ann.post(&general, "in the backup").await?;
    let writing = {
        let (ann, general) = (ann.clone(), general.clone());
        tokio::spawn(async move {
            for n in 0..200 {
                ann.post(&general, &format!("meanwhile {n}")).await?;
            }
            anyhow::Ok(())
        })
    };
    let elsewhere = tempfile::tempdir()?;
    let copy = elsewhere.path().join("copy");
    let backup = parlance(&["backup", "--data", path(server.data()), "--to", path(&copy)]).await?;
    assert!(backup.status.success(), "{}", backup.stderr);
    writing.await??;
    // The copy is a data directory that a server starts on, or the file to be put into one.
    let restored = elsewhere.path().join("restored");
    if copy.is_dir() {
        std::fs::rename(&copy, &restored)?;
    } else {
        std::fs::create_dir(&restored)?;
        std::fs::rename(&copy, restored.join(database(server.data())?.file_name().context("name")?))?;
    }
    let again = Sandbox::on(&restored, server.seed.clone()).await?;
    let arguments =
        [("channel", general.as_str()), ("oldest", ts.as_str()), ("latest", ts.as_str()), ("inclusive", "1")];
    let page = again.person(0)?.ok("conversations.history", &arguments).await?;
    assert_eq!(page["messages"][0]["text"], "in the backup", "{page}");
    Ok(())
}

#[tokio::test]
async fn sigterm_says_goodbye_drains_and_ends_with_0() -> Result<()> {
    let mut server = Sandbox::start_with(Options::default()).await?;
    let ann = server.person(0)?;
    let mut device = Socket::realtime(&ann).await?;
    device.resume(&boot_positions(&ann).await?).await?;
    let mut rtm = Socket::rtm(&server.bot()).await?;
    device.drain(1).await?;
    let ts = ann.post(server.channel("general")?, "before the drain").await?;
    server.signal("TERM").await?;
    let goodbye = device.until("goodbye", |frame| frame["type"] == "goodbye").await?;
    assert!(goodbye["reconnect_ms"].as_u64().is_some(), "{goodbye}");
    assert_eq!(device.closed(FRAME_WITHIN).await?, Some(4000));
    rtm.until("goodbye", |frame| frame["type"] == "goodbye").await?;
    loop {
        if let Frame::Closed(_) = rtm.next(FRAME_WITHIN).await? {
            break;
        }
    }
    let status = server.wait().await?;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    server.restart().await?;
    let snapshot = server.person(0)?.snapshot(server.channel("general")?).await?;
    assert!(snapshot.messages.iter().any(|message| message.ts == ts));
    Ok(())
}

#[tokio::test]
async fn a_further_workspace_is_made_while_the_server_runs_and_while_it_does_not() -> Result<()> {
    let mut server = Sandbox::start().await?;
    let data = path(server.data()).to_owned();
    let create = async |name: &str, more: &[&str]| {
        let mut arguments = vec!["create-workspace", "--data", &data, "--name", name, "--owner", "Eve Owner"];
        arguments.extend(more);
        parlance(&arguments).await
    };
    let made = create("Acme Tools", &["--email", "eve@acme.example"]).await?;
    assert!(made.status.success(), "{}", made.stderr);
    let running: serde_json::Value = serde_json::from_str(&made.stdout)?;
    assert_eq!(running["domain"], "acme-tools");
    for (more, reason) in [
        (vec!["--email", "eve@acme.example"], "acme-tools"),
        (vec!["--email", "eve"], "email"),
        (vec!["--email", "eve@acme.example", "--domain", "Acme"], "domain"),
    ] {
        let refused = create("Acme Tools", &more).await?;
        assert!(!refused.status.success() && refused.stderr.contains(reason), "{more:?}: {}", refused.stderr);
    }
    server.terminate().await?;
    let made = create("Elsewhere", &["--email", "eve@elsewhere.example"]).await?;
    assert!(made.status.success(), "{}", made.stderr);
    let stopped: serde_json::Value = serde_json::from_str(&made.stdout)?;
    server.restart().await?;
    let sign_in = async |made: &serde_json::Value, email: &str| {
        let form = [
            ("team", made["domain"].as_str().unwrap()),
            ("email", email),
            ("password", made["password"].as_str().unwrap()),
        ];
        let request = harness::http::Api::new(server.url(), None)
            .request(reqwest::Method::POST, "/api/parlance.signin");
        let answer = request.header("X-Parlance-Client", "1").form(&form).send().await?;
        anyhow::Ok(answer.json::<serde_json::Value>().await?)
    };
    for (made, email) in [(&running, "eve@acme.example"), (&stopped, "eve@elsewhere.example")] {
        let answer = sign_in(made, email).await?;
        assert!(answer["ok"] == true && answer["team_id"] == made["id"], "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dump_shows_no_password_and_cannot_be_used_as_if_it_had_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("parlance.toml");
    std::fs::write(&file, "store = \"postgres://chat:s3cret@db.example/chat\"\n")?;
    let dump = parlance(&["config", "--config", path(&file), "dump"]).await?;
    assert!(dump.status.success(), "{}", dump.stderr);
    assert!(
        !dump.stdout.contains("s3cret") && dump.stdout.contains("chat:***@db.example"),
        "{}",
        dump.stdout
    );
    std::fs::write(&file, &dump.stdout)?;
    let refused = parlance(&["config", "--config", path(&file), "check"]).await?;
    assert!(!refused.status.success() && refused.stderr.contains("store"), "{}", refused.stderr);
    Ok(())
}
