//! Copying a whole store. What needs PostgreSQL runs when `PARLANCE_TEST_STORE` names one.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use model::{ChannelId, Event, Generation, Message, Position, Role, Topic, TopicId, WorkspaceId};
use rusqlite::{Connection, types::Value};
use store::{
    BootSnapshot, EventsRead, Log, OpenError, Refusal, Store, Write, WriteKind,
    transfer::{Migrated, Stage, Step, TransferError, Verified, backup, migrate, raise_generations, restore},
};
use tempfile::TempDir;

use crate::world::*;

const ELSEWHERE: WorkspaceId = WorkspaceId::from_raw(2);
const DM: ChannelId = ChannelId::from_raw(14);
/// When restores happen: their generation is this in seconds.
const LATER: i64 = START + 60_000_000;
const LATER_GENERATION: Generation = Generation(1_700_000_060);

fn on(_: Step) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An installation with something in every table, two workspaces, and messages long enough for several chunks.
async fn busy() -> TempDir {
    let mut world = World::embedded().await;
    let first = world.say(GENERAL, ANN, "first “quoted” \\N \t 🎉\nsecond line").await;
    let reply = draft(GENERAL, BO, "a reply");
    world.posted(model::Draft { thread: Some(first.ts), broadcast: true, ..reply }).await;
    let mention = draft(GENERAL, BO, "look");
    let mentions = vec![ANN, CY];
    world.posted(model::Draft { mentions, client_msg_id: Some(key(7)), ..mention }).await;
    world.ok(edit(GENERAL, first.ts, ANN, "first, edited")).await;
    let gone = world.say(RANDOM, CY, "soon gone").await;
    world.ok(WriteKind::Delete { channel: RANDOM, ts: gone.ts, by: by(CY) }).await;
    let react =
        |user| WriteKind::React { channel: GENERAL, ts: first.ts, by: by(user), name: "wave".to_owned() };
    world.ok(react(BO)).await;
    world.ok(react(CY)).await;
    let take = WriteKind::Unreact { channel: GENERAL, ts: first.ts, by: by(CY), name: "wave".to_owned() };
    world.ok(take).await;
    world.ok(WriteKind::OpenDirect { id: DM, by: by(ANN), others: vec![BO], only_existing: false }).await;
    world.say(DM, BO, "between us").await;
    world.ok(WriteKind::Leave { channel: RANDOM, by: by(CY) }).await;
    let invite = store::NewInvite {
        code: store::SecretHash::of("code"),
        by: ANN,
        email: None,
        expires: START + 1_000_000_000,
        uses_max: 3,
    };
    world.ok(WriteKind::CreateInvite(invite)).await;
    let credential = store::NewCredential {
        secret: store::SecretHash::of("secret"),
        kind: model::Credential::Session,
        user: Some(ANN),
        bot: None,
        app: None,
        scopes: String::new(),
        expires: None,
    };
    world.ok(WriteKind::AddCredential(credential)).await;
    for number in 0..160 {
        world.say(SECRET, ANN, &format!("{number} {}", "long ".repeat(6_000))).await;
    }
    second_workspace(&mut world).await;
    let World { log, store, place: Place::Directory(dir), .. } = world else { panic!() };
    drop((log, store));
    dir
}

async fn second_workspace(world: &mut World) {
    let setup = WriteKind::CreateWorkspace {
        name: "Elsewhere".to_owned(),
        domain: "elsewhere".to_owned(),
        general: GENERAL,
        random: RANDOM,
        owner: Box::new(person(ANN, "ann", Role::PrimaryOwner)),
        only_first: false,
    };
    let kinds = [setup, post(draft(GENERAL, ANN, "another workspace"))];
    let writes = kinds.map(|kind| Write { workspace: ELSEWHERE, kind }).to_vec();
    for outcome in world.log.commit(writes, START).await.unwrap() {
        outcome.result.unwrap();
    }
}

/// An empty database of this test's own, where there is a PostgreSQL.
async fn database() -> Option<String> {
    match Place::new().await {
        Place::Address(url) => Some(url),
        Place::Directory(_) => None,
    }
}

async fn sql(url: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    let rows = messages.into_iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    });
    rows.collect()
}

fn open_file(dir: &Path) -> Connection {
    Connection::open(dir.join("parlance.db")).unwrap()
}

/// Every row that a copy must keep, read by SQLite itself. Generations are those of a restore: not here.
fn dump(file: &Path) -> Vec<(String, Vec<Value>)> {
    let connection = Connection::open(file).unwrap();
    let tables: Vec<String> = connection
        .prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' \
             AND name NOT IN ('placements', 'commits', 'tickets', 'migrations') ORDER BY name",
        )
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut all = Vec::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let generation = statement.column_names().position(|name| table == "topics" && name == "generation");
        let columns = statement.column_count();
        let mut rows: Vec<_> = statement
            .query_map([], |row| {
                let cells = (0..columns).filter(|column| Some(*column) != generation);
                Ok((table.clone(), cells.map(|column| row.get(column)).collect::<Result<Vec<_>, _>>()?))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        rows.sort_by_key(|row| format!("{row:?}"));
        assert!(!rows.is_empty(), "nothing in {table}: the test shows nothing of it");
        all.extend(rows);
    }
    all
}

/// What people and clients read.
#[derive(Debug, PartialEq)]
struct View {
    boots: Vec<Option<BootSnapshot>>,
    histories: Vec<(Vec<Message>, Position)>,
    events: Vec<EventsRead>,
}

async fn view(store: &dyn Store) -> View {
    let mut view = View { boots: vec![], histories: vec![], events: vec![] };
    for workspace in [WS, ELSEWHERE] {
        for user in [ANN, BO, CY] {
            view.boots.push(store.boot(workspace, user).await.unwrap());
        }
        for channel in [GENERAL, RANDOM, SECRET, DM] {
            let id = TopicId::Channel(channel);
            let topic = Topic { workspace, id };
            if store.heads(&[topic]).await.unwrap()[0].is_none() {
                continue;
            }
            let page = store.history(workspace, channel, all()).await.unwrap();
            view.histories.push((page.messages, page.position));
            view.events.push(store.events(topic, Position::START, 1_000).await.unwrap());
        }
    }
    view
}

async fn embedded_view(dir: &Path) -> View {
    let (_log, store) = store::sqlite::open(dir).unwrap();
    view(&store).await
}

/// Without what a raised generation changes.
fn contents(view: View) -> (Vec<Vec<Message>>, Vec<Vec<Event>>) {
    let histories = view.histories.into_iter().map(|(messages, _)| messages).collect();
    let events = view.events.into_iter().map(|read| match read {
        EventsRead::Events { events, .. } => events,
        other => panic!("{other:?}"),
    });
    let plain = |mut event: Event| {
        event.position.generation = Generation(0);
        event
    };
    (histories, events.map(|events| events.into_iter().map(plain).collect()).collect())
}

/// Events of a store whose generation was raised: from the beginning of the new one.
async fn restored_view(dir: &Path) -> View {
    let (_log, store) = store::sqlite::open(dir).unwrap();
    let mut view = view(&store).await;
    for (read, (_, head)) in view.events.iter_mut().zip(&view.histories) {
        assert!(matches!(read, EventsRead::Reset { .. }), "a position from before the restore: {read:?}");
        assert_eq!(head.generation, LATER_GENERATION);
    }
    view.events.clear();
    let topics =
        [(WS, GENERAL), (WS, RANDOM), (WS, SECRET), (WS, DM), (ELSEWHERE, GENERAL), (ELSEWHERE, RANDOM)];
    for (workspace, channel) in topics {
        let topic = Topic { workspace, id: TopicId::Channel(channel) };
        let from = Position { generation: LATER_GENERATION, ..Position::START };
        view.events.push(store.events(topic, from, 1_000).await.unwrap());
    }
    view
}

async fn says(log: &mut dyn Log, text: &str) -> Result<(), Refusal> {
    let write = Write { workspace: WS, kind: post(draft(GENERAL, ANN, text)) };
    let mut outcomes = log.commit(vec![write], LATER + 1).await.unwrap();
    outcomes.pop().unwrap().result.map(|_| ())
}

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

    let (mut log, store) = store::postgres::open(&url).await.unwrap();
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
    let (mut log, _store) = store::postgres::open(&other).await.unwrap();
    says(&mut log, "on the other").await.unwrap();
}

/// Breaks off after so many steps.
fn after(steps: usize) -> impl FnMut(Step) -> ControlFlow<()> + Send {
    let mut left = steps;
    move |_| {
        left = left.saturating_sub(1);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
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
                let (mut log, _store) = store::postgres::open(&url).await.unwrap();
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
async fn a_source_that_was_used_in_between_is_copied_anew() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    assert!(matches!(migrate(dir.path(), &url, &mut after(15)).await, Err(TransferError::Stopped)));
    let (mut log, store) = store::sqlite::open(dir.path()).unwrap();
    says(&mut log, "meanwhile").await.unwrap();
    drop((log, store));
    let before = embedded_view(dir.path()).await;
    let Migrated::Moved(_) = migrate(dir.path(), &url, &mut on).await.unwrap() else { panic!() };
    let (_log, store) = store::postgres::open(&url).await.unwrap();
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
        Stage::Copying => ControlFlow::Continue(()),
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
    // The last step of all comes before the note that all was compared.
    let mut last = |step: Step| match (step.stage, step.done == step.all) {
        (Stage::Verifying, true) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    assert!(matches!(migrate(dir.path(), &url, &mut last).await, Err(TransferError::Stopped)));
    sql(&url, "UPDATE transfer_progress SET rows = 1 WHERE item = ''").await;
    open_file(dir.path()).execute("UPDATE placements SET state = 2", []).unwrap();
    let elsewhere = database().await.unwrap();
    let refused = migrate(dir.path(), &elsewhere, &mut on).await.unwrap_err();
    assert!(matches!(refused, TransferError::MovedElsewhere { .. }), "{refused}");
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
    let (mut log, _store) = store::postgres::open(&url).await.unwrap();
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
    drop(store::postgres::open(&url).await.unwrap());
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

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_one_moment() {
    let Some(url) = database().await else { return };
    let dir = busy().await;
    migrate(dir.path(), &url, &mut on).await.unwrap();
    let (mut log, _store) = store::postgres::open(&url).await.unwrap();
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
    let head = store.heads(&[topic]).await.unwrap()[0].unwrap();
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
