//! What is particular to an engine: opening, refusing, backing up.

use store::{OpenError, Store};

use crate::world::*;

#[tokio::test]
async fn a_second_process_is_refused_and_let_in_afterwards() {
    let world = World::embedded().await;
    let Err(OpenError::Locked { lock, .. }) = store::sqlite::open(world.path().unwrap()) else { panic!() };
    assert!(lock.ends_with("parlance.lock"));
    let World { log, store, place: Place::Directory(dir), .. } = world else { panic!() };
    drop(log);
    assert!(matches!(store::sqlite::open(dir.path()), Err(OpenError::Locked { .. })), "readers hold it too");
    drop(store);
    assert!(store::sqlite::open(dir.path()).is_ok());
}

#[tokio::test]
async fn a_newer_or_changed_schema_is_refused() {
    let world = World::embedded().await;
    let World { log, store, place: Place::Directory(dir), .. } = world else { panic!() };
    drop((log, store));
    let connection = rusqlite::Connection::open(dir.path().join("parlance.db")).unwrap();
    connection.execute("INSERT INTO migrations VALUES (999, 'x')", []).unwrap();
    let error = store::sqlite::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 999, .. }), "{error}");
    connection.execute("DELETE FROM migrations WHERE version = 999", []).unwrap();
    connection.execute("UPDATE migrations SET checksum = 'x' WHERE version = 1", []).unwrap();
    assert!(matches!(store::sqlite::open(dir.path()), Err(OpenError::Changed { version: 1, .. })));
}

#[tokio::test]
async fn a_store_that_lost_its_file_is_not_made_anew() {
    let World { log, store, place: Place::Directory(dir), .. } = World::embedded().await else { panic!() };
    drop((log, store));
    let (database, lock) = (dir.path().join("parlance.db"), dir.path().join("parlance.lock"));
    let whole = std::fs::read(&database).unwrap();
    for damage in [None, Some(&[][..]), Some(&whole[..8_192]), Some(b"not a database")] {
        match damage {
            None => std::fs::remove_file(&database).unwrap(),
            Some(bytes) => std::fs::write(&database, bytes).unwrap(),
        }
        let error = store::sqlite::open(dir.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{:?} bytes: {error}", damage.map(<[u8]>::len));
        assert!(error.to_string().contains("parlance.db is damaged"), "{error}");
        let left = std::fs::read(&database).ok();
        assert_eq!(left.as_deref(), damage, "nothing is written to what is damaged");
    }
    std::fs::write(&database, &whole).unwrap();
    drop(store::sqlite::open(dir.path()).unwrap());
    // Whoever deletes both wants a new one.
    std::fs::remove_file(&database).unwrap();
    std::fs::remove_file(&lock).unwrap();
    assert!(store::sqlite::open(dir.path()).is_ok());
}

#[tokio::test]
async fn a_directory_that_is_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "x").unwrap();
    assert!(matches!(store::sqlite::open(&path), Err(OpenError::Failed { .. })));
}

#[tokio::test]
async fn a_backup_under_load_is_one_moment() {
    let mut world = World::embedded().await;
    for number in 0..200 {
        world.say(GENERAL, ANN, &format!("{number} {}", "x".repeat(2_000))).await;
    }
    let target = world.path().unwrap().join("copy.db");
    let (store, to) = (std::sync::Arc::clone(&world.store), target.clone());
    let backup = tokio::spawn(async move {
        let mut last = (0, 0);
        store.backup(&to, &mut |done, all| last = (done, all)).await.map(|()| last)
    });
    for number in 200..300 {
        world.say(GENERAL, ANN, &format!("{number}")).await;
        tokio::task::yield_now().await;
    }
    backup.await.unwrap().unwrap();
    assert!(world.store.backup(&target, &mut |_, _| ()).await.is_err(), "never overwrites");
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(&target, copy.path().join("parlance.db")).unwrap();
    let (_log, store) = store::sqlite::open(copy.path()).unwrap();
    let head =
        store.heads(&[model::Topic { workspace: WS, id: model::TopicId::Channel(GENERAL) }]).await.unwrap();
    let page = store.history(WS, GENERAL, all()).await.unwrap();
    assert_eq!(head, [model::HeadRead::At(page.position)]);
    assert!(page.messages.len() >= 200);
    let connection = rusqlite::Connection::open(&target).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn nobody_else_can_read_the_store_or_a_backup() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (log, store) = store::sqlite::open(&data).unwrap();
    assert_eq!(mode(&data), 0o700);
    let backup = folder.path().join("backup.db");
    store.backup(&backup, &mut |_, _| ()).await.unwrap();
    assert_eq!(mode(&backup), 0o600);
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop((log, store));
    // One that an earlier version made.
    let database = data.join("parlance.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _open = store::sqlite::open(&data).unwrap();
    assert_eq!(mode(&database), 0o600);
}
