//! Copying a whole store. What needs PostgreSQL runs when `PARLANCE_TEST_STORE` names one.

mod moving;
mod restoring;

use std::{ops::ControlFlow, path::Path};

use model::{ChannelId, Event, Generation, Message, Position, Role, Topic, TopicId, WorkspaceId};
use rusqlite::{Connection, types::Value};
use store::{BootSnapshot, EventsRead, Log, Refusal, Store, Write, WriteKind, transfer::Step};
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

/// An installation with something in every table, two workspaces, and messages long enough for several
/// chunks.
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
    world.ok(WriteKind::SetOpen { channel: DM, by: by(ANN), open: false }).await;
    world.ok(WriteKind::Pin { channel: GENERAL, ts: first.ts, by: by(BO) }).await;
    crate::files::shared(&mut world, model::FileId::from_raw(91), BO, GENERAL).await;
    let name = model::ChannelName::parse("chatter").unwrap();
    world.ok(WriteKind::Rename { channel: RANDOM, by: by(ANN), name }).await;
    let status =
        model::Status { text: "away".to_owned(), emoji: ":wave:".to_owned(), expiration: 9_000_000_000 };
    let change = store::ProfileChange {
        status: Some(status),
        expiry_job: Some(model::JobId::from_raw(5)),
        ..store::ProfileChange::default()
    };
    world.ok(WriteKind::SetProfile { user: BO, by: by(BO), change: Box::new(change) }).await;
    let dnd = model::Dnd { daily: true, ..model::Dnd::default() };
    world.ok(WriteKind::SetDnd { user: BO, dnd }).await;
    world.ok(WriteKind::SetPresence { user: BO, away: true }).await;
    let values = vec![("time24".to_owned(), "true".to_owned())];
    world.ok(WriteKind::SetPreferences { user: BO, values }).await;
    let later = WriteKind::Schedule {
        id: model::ScheduledId::from_raw(6),
        job: model::JobId::from_raw(6),
        draft: Box::new(draft(GENERAL, BO, "later")),
        public_without_membership: false,
        post_at: 9_000_000_000,
    };
    world.ok(later).await;
    let invite = store::NewInvite {
        code: store::SecretHash::of("code"),
        email: None,
        expires: START + 1_000_000_000,
        uses_max: 3,
    };
    world.ok(WriteKind::CreateInvite { by: by(ANN), invite }).await;
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
            if store.heads(&[topic]).await.unwrap() == [model::HeadRead::Absent] {
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

/// Breaks off after so many steps.
fn after(steps: usize) -> impl FnMut(Step) -> ControlFlow<()> + Send {
    let mut left = steps;
    move |_| {
        left = left.saturating_sub(1);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
