//! Backups, and putting them back.

use std::path::PathBuf;

use store::{
    OpenError,
    transfer::{TransferError, backup, migrate, restore},
};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_into_a_database_that_is_broken_off_goes_on() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.db");
    let (_log, store) = store::sqlite::open(dir.path()).unwrap();
    store.backup(&file, &mut |_, _| ()).await.unwrap();
    let data = files.path().join("data");
    let mut last = 0;
    for steps in [5, 15, 25] {
        let stopped = restore(&file, &data, Some(&url), false, LATER, &mut after(steps)).await.unwrap_err();
        assert!(matches!(stopped, TransferError::Stopped), "{stopped}");
        let rows = sql(&url, "SELECT sum(rows) FROM transfer_progress").await;
        let rows: u64 = rows[0][0].clone().unwrap().parse().unwrap();
        assert!(rows > last, "{rows} rows after {last}");
        last = rows;
        let generations = sql(&url, "SELECT count(*) FROM topics WHERE generation > 1").await;
        assert_eq!(generations, [[Some("0".to_owned())]], "raised only with the switch");
    }
    let restored = restore(&file, &data, Some(&url), false, LATER, &mut on).await.unwrap();
    assert!(restored.verified.is_some());
    let generations = sql(&url, "SELECT DISTINCT generation FROM topics").await;
    assert_eq!(generations, [[Some(LATER_GENERATION.0.to_string())]]);
    assert!(!data.join("parlance.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_one_moment() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    migrate(dir.path(), &url, &mut on).await.unwrap();
    let (mut log, _store) = store::postgres::open(&url, 1).await.unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writing = tokio::spawn(async move {
        let mut posts = 0;
        while stopped.try_recv().is_err() {
            says(&mut log, "meanwhile").await.unwrap();
            posts += 1;
        }
        posts
    });
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.db");
    backup(&url, &file, &mut on).await.unwrap();
    stop.send(()).unwrap();
    assert!(writing.await.unwrap() > 0);
    let connection = Connection::open(&file).unwrap();
    let torn = "SELECT count(*) FROM topics t WHERE last_seq <> coalesce((SELECT max(seq) FROM events e \
                WHERE e.workspace = t.workspace AND e.topic = t.topic), trimmed)";
    assert_eq!(connection.query_row(torn, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    assert_eq!(
        connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(),
        "ok"
    );
}

/// A backup of the embedded store, made while it is in use.
async fn embedded_backup() -> (TempDir, PathBuf) {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.db");
    World::embedded().await.store.backup(&file, &mut |_, _| ()).await.unwrap();
    (files, file)
}

#[tokio::test]
async fn a_backup_of_the_embedded_store_is_put_back() {
    let (files, file) = embedded_backup().await;
    let data = files.path().join("data");
    let bytes = std::fs::read(&file).unwrap();
    let restored = restore(&file, &data, None, false, LATER, &mut on).await.unwrap();
    assert!(restored.verified.is_some_and(|verified| verified.rows > 20 && verified.topics == 7));
    assert_eq!(dump_some(&data.join("parlance.db")), dump_some(&file));
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "the backup stays as it is");
    let names: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name != "restore.partial"), "{names:?}");
    let refused = restore(&file, &data, None, false, LATER, &mut on).await.unwrap_err();
    assert!(matches!(refused, TransferError::Occupied { .. }), "{refused}");
    std::fs::remove_file(data.join("parlance.db")).unwrap();
    std::fs::write(data.join("parlance.db-wal"), "of another store").unwrap();
    let refused = restore(&file, &data, None, false, LATER, &mut on).await.unwrap_err();
    assert!(refused.to_string().contains("parlance.db-wal"), "{refused}");

    // The same backup a second time: a generation that the first restore did not have.
    let again = files.path().join("again");
    restore(&file, &again, None, false, LATER + 1_000_000, &mut on).await.unwrap();
    let (mut log, store) = store::sqlite::open(&again).unwrap();
    let topic = Topic { workspace: WS, id: TopicId::Channel(GENERAL) };
    let [model::HeadRead::At(head)] = store.heads(&[topic]).await.unwrap()[..] else { panic!() };
    assert_eq!(head.generation, Generation(LATER_GENERATION.0 + 1));
    says(&mut log, "on").await.unwrap();
    let first = Position { generation: LATER_GENERATION, seq: head.seq };
    assert!(matches!(store.events(topic, first, 10).await.unwrap(), EventsRead::Reset { .. }));
}

fn dump_some(file: &Path) -> Vec<String> {
    let connection = Connection::open(file).unwrap();
    let mut statement =
        connection.prepare("SELECT workspace, topic, seq, kind, at, ref, data FROM events").unwrap();
    let rows = statement.query_map([], |row| {
        let cells: Vec<Value> = (0..7).map(|column| row.get(column)).collect::<Result<_, _>>()?;
        Ok(format!("{cells:?}"))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_file_that_is_no_good_is_refused_before_anything_is_written() {
    let (files, good) = embedded_backup().await;
    let data = files.path().join("data");
    let spoiled = |name: &str, sql: &str| {
        let path = files.path().join(name);
        std::fs::copy(&good, &path).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    let refused = async |path: &Path| {
        let error = restore(path, &data, None, false, LATER, &mut on).await.unwrap_err();
        assert!(!data.exists(), "{error}: something was written");
        error
    };
    let newer = refused(&spoiled("newer", "INSERT INTO migrations VALUES (999, 'x')")).await;
    assert!(matches!(newer, TransferError::Open(OpenError::Newer { found: 999, .. })), "{newer}");
    let changed =
        refused(&spoiled("changed", "UPDATE migrations SET checksum = 'x' WHERE version = 1")).await;
    assert!(matches!(changed, TransferError::Open(OpenError::Changed { version: 1, .. })), "{changed}");
    let foreign = refused(&spoiled("foreign", "DROP TABLE topics")).await;
    assert!(matches!(foreign, TransferError::Foreign { .. }), "{foreign}");
    let gone = refused(&spoiled("gone", "UPDATE placements SET state = 3")).await;
    assert!(matches!(gone, TransferError::Elsewhere), "{gone}");
    let text = files.path().join("text");
    std::fs::write(&text, "not a database at all").unwrap();
    assert!(matches!(refused(&text).await, TransferError::Foreign { .. }));
    assert!(matches!(refused(&files.path().join("missing")).await, TransferError::Foreign { .. }));
    // A page in the middle is overwritten, then the end is missing.
    let bytes = std::fs::read(&good).unwrap();
    let mut holed = bytes.clone();
    let middle = holed.len() / 2 / 4_096 * 4_096;
    holed[middle..middle + 4_096].fill(0x5a);
    for (name, bytes) in [("holed", holed), ("cut", bytes[..bytes.len() / 2].to_vec())] {
        let path = files.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, TransferError::Damaged { .. }), "{name}: {error}");
    }
    // What had left is taken back by order.
    let gone = files.path().join("gone");
    restore(&gone, &data, None, true, LATER, &mut on).await.unwrap();
    let (mut log, _store) = store::sqlite::open(&data).unwrap();
    says(&mut log, "here").await.unwrap();
}

#[tokio::test]
async fn a_restore_that_was_broken_off_leaves_no_store_and_is_begun_anew() {
    let dir = busy().await;
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.db");
    let (_log, store) = store::sqlite::open(dir.path()).unwrap();
    store.backup(&file, &mut |_, _| ()).await.unwrap();
    let data = files.path().join("data");
    for steps in [1, 2, 5, 10] {
        let stopped = restore(&file, &data, None, false, LATER, &mut after(steps)).await.unwrap_err();
        assert!(matches!(stopped, TransferError::Stopped), "{stopped}");
        assert!(!data.join("parlance.db").exists());
    }
    restore(&file, &data, None, false, LATER, &mut on).await.unwrap();
    assert_eq!(contents(restored_view(&data).await), contents(view(&store).await));
}
