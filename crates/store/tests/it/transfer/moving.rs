//! Moving an embedded store to PostgreSQL.

use store::{
    OpenError,
    transfer::{Migrated, Stage, TransferError, Verified, backup, migrate, raise_generations, restore},
};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_round_trip_changes_nothing() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    let before = embedded_view(dir.path()).await;
    let mut steps = Vec::new();
    let mut note = |step: Step| {
        steps.push(step);
        ControlFlow::Continue(())
    };
    let Migrated::Moved(verified) = migrate(dir.path(), &url, &mut note).await.unwrap() else { panic!() };
    let rows = u64::try_from(dump(&dir.path().join("parlance.db")).len()).unwrap();
    let messages =
        open_file(dir.path()).query_row("SELECT count(*) FROM messages", [], |row| row.get::<_, i64>(0));
    assert_eq!(verified.rows, rows);
    assert_eq!(i64::try_from(verified.messages), Ok(messages.unwrap()));
    assert_eq!(
        verified.topics,
        8 + 4,
        "four channels, three people, a workspace; two channels, one person, a workspace"
    );
    for stage in [Stage::Copying, Stage::Verifying] {
        let last = steps.iter().rfind(|step| step.stage == stage).unwrap();
        assert_eq!((last.done, last.all), (rows, rows), "{stage:?}");
    }

    let (mut log, store) = store::postgres::open(&url, 1).await.unwrap();
    assert_eq!(view(&store).await, before);
    let (mut old, old_store) = store::sqlite::open(dir.path()).unwrap();
    assert_eq!(says(&mut old, "lost").await, Err(Refusal::NotHere), "the old one takes no writes");
    drop((old, old_store));

    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup?100%#.db");
    assert_eq!(backup(&url, &file, &mut on).await.unwrap(), verified);
    assert!(
        matches!(backup(&url, &file, &mut on).await, Err(TransferError::Occupied { .. })),
        "never overwrites"
    );
    assert_eq!(dump(&file), dump(&dir.path().join("parlance.db")));
    let data = files.path().join("data");
    let restored = restore(&file, &data, None, false, LATER, &mut on).await.unwrap();
    assert_eq!((restored.verified, restored.elsewhere), (Some(verified), vec![]));
    assert_eq!(dump(&data.join("parlance.db")), dump(&file));
    assert_eq!(contents(restored_view(&data).await), contents(before));
    let (mut new, new_store) = store::sqlite::open(&data).unwrap();
    says(&mut new, "on the restored one").await.unwrap();
    drop((new, new_store));
    says(&mut log, "on PostgreSQL").await.unwrap();

    // And back into a database, which must be another one.
    let refused = restore(&file, &data, Some(&url), false, LATER, &mut on).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty { .. }), "{refused}");
    let other = database().await.unwrap();
    let into = files.path().join("other");
    let again = restore(&file, &into, Some(&other), false, LATER, &mut on).await.unwrap();
    assert_eq!(again.verified, Some(verified));
    let copy = files.path().join("copy.db");
    backup(&other, &copy, &mut on).await.unwrap();
    assert_eq!(dump(&copy), dump(&file));
    let generations = sql(&other, "SELECT DISTINCT generation FROM topics").await;
    assert_eq!(generations, [[Some(LATER_GENERATION.0.to_string())]]);
    let (mut log, _store) = store::postgres::open(&other, 1).await.unwrap();
    says(&mut log, "on the other").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_broken_off_anywhere_goes_on() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    let whole = dump(&dir.path().join("parlance.db")).len();
    let copied = async || {
        let tables = ["events", "messages", "memberships", "users"].map(|table| {
            let sql_text = format!("SELECT count(*) FROM {table}");
            let url = url.clone();
            async move { sql(&url, &sql_text).await[0][0].clone().unwrap().parse::<usize>().unwrap() }
        });
        let mut rows = 0;
        for table in tables {
            rows += table.await;
        }
        rows
    };
    let (mut attempts, mut last) = (0, 0);
    // Each attempt gets one step further than the one before, so each boundary is an end once.
    let done = loop {
        attempts += 1;
        match migrate(dir.path(), &url, &mut after(attempts)).await {
            Ok(done) => break done,
            Err(TransferError::Stopped) => {
                let rows = copied().await;
                assert!(rows >= last, "what was copied stays");
                last = rows;
                assert_eq!(
                    sql(&url, "SELECT DISTINCT state FROM placements").await,
                    [[Some("2".to_owned())]]
                );
                let state = open_file(dir.path()).query_row(
                    "SELECT min(state) + max(state) FROM placements",
                    [],
                    |row| row.get::<_, i64>(0),
                );
                assert_eq!(state.unwrap(), 2, "the source stays in use until the end");
                let (mut log, _store) = store::postgres::open(&url, 1).await.unwrap();
                assert_eq!(says(&mut log, "too early").await, Err(Refusal::NotHere));
            }
            Err(other) => panic!("{other}"),
        }
    };
    let Migrated::Moved(Verified { rows, .. }) = done else { panic!() };
    assert_eq!(usize::try_from(rows), Ok(whole));
    assert!(attempts > 20, "{attempts} attempts");
    assert_eq!(sql(&url, "SELECT to_regclass('transfer_progress')").await, [[None]]);
    assert_eq!(migrate(dir.path(), &url, &mut on).await.unwrap(), Migrated::Before, "a repeat harms nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_used_in_between_is_copied_anew() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    assert!(matches!(migrate(dir.path(), &url, &mut after(15)).await, Err(TransferError::Stopped)));
    let (mut log, store) = store::sqlite::open(dir.path()).unwrap();
    says(&mut log, "meanwhile").await.unwrap();
    drop((log, store));
    let before = embedded_view(dir.path()).await;
    let Migrated::Moved(_) = migrate(dir.path(), &url, &mut on).await.unwrap() else { panic!() };
    let (_log, store) = store::postgres::open(&url, 1).await.unwrap();
    assert_eq!(view(&store).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_into_one_database_one_goes_on() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    // The same workspaces from another file: it takes the database as its own unfinished copy.
    let twin = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("parlance.db"), twin.path().join("parlance.db")).unwrap();
    let mut steps = 0;
    let mut meanwhile = |_| {
        steps += 1;
        if steps == 8 {
            let mut until = after(12);
            let other = migrate(twin.path(), &url, &mut until);
            let runtime = tokio::runtime::Handle::current();
            let stopped = tokio::task::block_in_place(|| runtime.block_on(Box::pin(other)));
            assert!(matches!(stopped, Err(TransferError::Stopped)));
        }
        ControlFlow::Continue(())
    };
    let error = migrate(dir.path(), &url, &mut meanwhile).await.unwrap_err();
    assert!(error.to_string().contains("another copy into it is running"), "{error}");
    assert!(matches!(migrate(twin.path(), &url, &mut on).await, Ok(Migrated::Moved(_))));
    let error = migrate(dir.path(), &url, &mut on).await.unwrap_err();
    assert!(matches!(error, TransferError::NotEmpty { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_named_and_nothing_is_switched() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    let mut until_compared = |step: Step| match step.stage {
        Stage::CopyingPages | Stage::Copying => ControlFlow::Continue(()),
        Stage::Verifying => ControlFlow::Break(()),
    };
    assert!(matches!(migrate(dir.path(), &url, &mut until_compared).await, Err(TransferError::Stopped)));
    let (general, secret) = (GENERAL.raw(), SECRET.raw());
    let spoils = [
        (
            format!(
                "UPDATE messages SET body = 'long' || substr(body, 5) WHERE channel = {secret} AND ts = (SELECT max(ts) FROM messages WHERE channel = {secret})"
            ),
            format!(
                "UPDATE messages SET body = '159 ' || substr(body, 5) WHERE channel = {secret} AND body LIKE 'long%'"
            ),
            "messages of T000000000001, C00000000000D (",
        ),
        (
            format!(
                "CREATE TABLE aside AS SELECT * FROM events WHERE workspace = 1 AND topic = {general} AND seq = 2; DELETE FROM events WHERE workspace = 1 AND topic = {general} AND seq = 2"
            ),
            "INSERT INTO events SELECT * FROM aside; DROP TABLE aside".to_owned(),
            "events of T000000000001, C00000000000B (",
        ),
        (
            "INSERT INTO mentions (workspace, channel, usr, ts) VALUES (2, 4242, 1, 1)".to_owned(),
            "DELETE FROM mentions WHERE channel = 4242".to_owned(),
            "mentions of T000000000002, C00000000044I (0 rows in the source, 1 in the copy)",
        ),
        (
            "UPDATE users SET email = NULL WHERE workspace = 1 AND name = 'bo'".to_owned(),
            "UPDATE users SET email = 'bo@example.org' WHERE workspace = 1 AND name = 'bo'".to_owned(),
            "users of T000000000001 (3 rows, with another content)",
        ),
    ];
    for (spoil, mend, named) in spoils {
        sql(&url, &spoil).await;
        let error = migrate(dir.path(), &url, &mut on).await.unwrap_err();
        assert!(matches!(error, TransferError::Differs { more: 0, .. }), "{error}");
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(error.to_string().matches("T0000").count(), 1, "{error}");
        assert_eq!(sql(&url, "SELECT DISTINCT state FROM placements").await, [[Some("2".to_owned())]]);
        sql(&url, &mend).await;
    }
    let (mut log, store) = store::sqlite::open(dir.path()).unwrap();
    says(&mut log, "still here").await.unwrap();
    drop((log, store));
    assert!(matches!(migrate(dir.path(), &url, &mut on).await, Ok(Migrated::Moved(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_was_broken_off_is_finished() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    // The database refuses to take over: the second of the three commits fails.
    let mut compared = |step: Step| match step.stage {
        Stage::CopyingPages | Stage::Copying => ControlFlow::Continue(()),
        Stage::Verifying => ControlFlow::Break(()),
    };
    assert!(matches!(migrate(dir.path(), &url, &mut compared).await, Err(TransferError::Stopped)));
    sql(&url, "ALTER TABLE placements ADD CONSTRAINT never CHECK (state <> 1)").await;
    let half = migrate(dir.path(), &url, &mut on).await.unwrap_err();
    assert!(matches!(half, TransferError::HalfSwitched { .. }), "{half}");
    let (mut old, old_store) = store::sqlite::open(dir.path()).unwrap();
    let (mut new, _new_store) = store::postgres::open(&url, 1).await.unwrap();
    for log in [&mut old as &mut dyn Log, &mut new] {
        assert_eq!(says(log, "nowhere").await, Err(Refusal::NotHere), "never two that take writes");
    }
    drop((old, old_store));
    let elsewhere = database().await.unwrap();
    let refused = migrate(dir.path(), &elsewhere, &mut on).await.unwrap_err();
    assert!(matches!(refused, TransferError::MovedElsewhere { .. }), "{refused}");
    sql(&url, "ALTER TABLE placements DROP CONSTRAINT never").await;
    assert_eq!(migrate(dir.path(), &url, &mut on).await.unwrap(), Migrated::Before);
    let placements = |dir: &Path| {
        open_file(dir).query_row("SELECT min(state), max(version) FROM placements", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
    };
    assert_eq!(placements(dir.path()).unwrap(), (3, 2));
    let here = [[Some("1".to_owned()), Some("2".to_owned())]];
    assert_eq!(sql(&url, "SELECT DISTINCT state, version FROM placements").await, here);

    // Between the second and the third commit: the target takes writes already.
    open_file(dir.path()).execute("UPDATE placements SET state = 2, version = 1", []).unwrap();
    let (mut log, _store) = store::postgres::open(&url, 1).await.unwrap();
    says(&mut log, "after the switch").await.unwrap();
    assert_eq!(migrate(dir.path(), &url, &mut on).await.unwrap(), Migrated::Before);
    assert_eq!(placements(dir.path()).unwrap(), (3, 2));

    // And back, by explicit order only.
    let still = raise_generations(dir.path(), None, false, LATER).await.unwrap();
    assert_eq!(still.elsewhere, [WS, ELSEWHERE]);
    let back = raise_generations(dir.path(), None, true, LATER).await.unwrap();
    assert_eq!((back.topics, back.elsewhere), (12, vec![]));
    let (mut log, _store) = store::sqlite::open(dir.path()).unwrap();
    says(&mut log, "back").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_holds_something_else_is_refused() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    let other = World::embedded().await;
    let World { log, store, place: Place::Directory(other), .. } = other else { panic!() };
    drop((log, store));
    open_file(other.path()).execute_batch(
        "UPDATE workspaces SET workspace = 9; UPDATE placements SET workspace = 9; UPDATE topics SET workspace = 9",
    )
    .unwrap();
    // Unfinished, and of another store.
    assert!(matches!(migrate(other.path(), &url, &mut after(3)).await, Err(TransferError::Stopped)));
    let refused = migrate(dir.path(), &url, &mut on).await.unwrap_err();
    assert!(matches!(refused, TransferError::OtherCopy), "{refused}");
    let files = tempfile::tempdir().unwrap();
    let refused = backup(&url, &files.path().join("file"), &mut on).await.unwrap_err();
    assert!(matches!(refused, TransferError::Unfinished), "{refused}");
    let refused = raise_generations(files.path(), Some(&url), false, LATER).await.unwrap_err();
    assert!(matches!(refused, TransferError::Unfinished), "{refused}");
    let empty = database().await.unwrap();
    let refused = raise_generations(files.path(), Some(&empty), false, LATER).await.unwrap_err();
    assert!(refused.to_string().contains("holds no Parlance store"), "{refused}");
    assert_eq!(sql(&empty, "SELECT to_regclass('topics')").await, [[None]], "nothing was made in it");
    // Finished.
    assert!(matches!(migrate(other.path(), &url, &mut on).await, Ok(Migrated::Moved(_))));
    let refused = migrate(dir.path(), &url, &mut on).await.unwrap_err();
    assert!(refused.to_string().contains("the workspace T000000000009"), "{refused}");
    // Rows without a workspace.
    let url = database().await.unwrap();
    drop(store::postgres::open(&url, 1).await.unwrap());
    sql(&url, "INSERT INTO mentions (workspace, channel, usr, ts) VALUES (1, 1, 1, 1)").await;
    let refused = migrate(dir.path(), &url, &mut on).await.unwrap_err();
    assert!(refused.to_string().contains("rows in mentions"), "{refused}");
    assert_eq!(
        sql(&url, "SELECT to_regclass('transfer_progress')").await,
        [[None]],
        "refused before writing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_postgresql_cannot_hold_is_named() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    open_file(dir.path())
        .execute("UPDATE users SET real_name = 'a' || char(0) || 'b' WHERE name = 'bo'", [])
        .unwrap();
    let error = migrate(dir.path(), &url, &mut on).await.unwrap_err();
    assert!(error.to_string().contains("a row of users cannot be copied"), "{error}");
}

#[tokio::test]
async fn a_source_in_use_or_without_a_store_is_refused() {
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let world = World::embedded().await;
    let refused = migrate(world.path().unwrap(), nowhere, &mut on).await.unwrap_err();
    assert!(matches!(refused, TransferError::Open(OpenError::Locked { .. })), "{refused}");
    let refused = raise_generations(world.path().unwrap(), None, false, LATER).await.unwrap_err();
    assert!(matches!(refused, TransferError::Open(OpenError::Locked { .. })), "{refused}");
    let empty = tempfile::tempdir().unwrap();
    for dir in [empty.path().to_owned(), empty.path().join("none")] {
        let refused = migrate(&dir, nowhere, &mut on).await.unwrap_err();
        assert!(matches!(refused, TransferError::NoStore { .. }), "{refused}");
        let refused = raise_generations(&dir, None, false, LATER).await.unwrap_err();
        assert!(matches!(refused, TransferError::NoStore { .. }), "{refused}");
    }
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "nothing was made");
    drop(store::sqlite::open(empty.path()).unwrap());
    let refused = migrate(empty.path(), nowhere, &mut on).await.unwrap_err();
    assert!(matches!(refused, TransferError::Nothing { .. }), "{refused}");
}
