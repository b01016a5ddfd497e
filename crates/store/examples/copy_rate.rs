//! Rows per second of moving an embedded store to PostgreSQL and back, as a ratio to a plain `COPY` of the
//! same rows: `PARLANCE_TEST_STORE=postgres://… cargo run --release -p store --example copy_rate`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a measuring tool")]

use std::{
    io::Cursor,
    ops::ControlFlow,
    path::Path,
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, TryStreamExt};
use model::{ChannelId, ChannelName, Draft, MessageText, Role, UserId, WorkspaceId};
use store::{
    By, Log, NewPerson, Write, WriteKind,
    transfer::{Migrated, Stage, Step, Verified, backup, migrate, raise_generations, restore},
};
use tokio_postgres::{Client, NoTls};

const WS: WorkspaceId = WorkspaceId::from_raw(1);
const ANN: UserId = UserId::from_raw(2);
const NOW: i64 = 1_700_000_000_000_000;
const TEXT: &str =
    "Ten days on the bench, and the worst clock is 0.8 s off; with the temperature table it is 0.3 s.";
const MESSAGES: usize = 200_000;
const TOPICS: usize = 10_000;
const BATCH: usize = 2_000;

#[tokio::main]
async fn main() {
    let url = std::env::var("PARLANCE_TEST_STORE").unwrap();
    let folder = tempfile::tempdir_in(".").unwrap();
    let data = folder.path().join("data");
    fill(&data).await;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let ours = schema(&client, &url, "copy_ours").await;
    let plain = schema(&client, &url, "copy_plain").await;

    let mut stages = Stages::default();
    let Migrated::Moved(verified) = migrate(&data, &ours, &mut |step| stages.step(&step)).await.unwrap()
    else {
        panic!()
    };
    let (copied, compared) = stages.end();
    let (bytes, baseline) = plain_copy(&client, &plain).await;
    println!(
        "{} rows, {} messages, {} topics, {:.0} MB",
        verified.rows,
        verified.messages,
        verified.topics,
        mb(bytes)
    );
    report("plain COPY of the same rows", &verified, bytes, baseline, baseline);
    report("migrate: copying", &verified, bytes, copied, baseline);
    report("migrate: comparing", &verified, bytes, compared, baseline);

    let file = folder.path().join("backup.db");
    let mut stages = Stages::default();
    backup(&ours, &file, &mut |step| stages.step(&step)).await.unwrap();
    let (copied, compared) = stages.end();
    report("backup: copying", &verified, bytes, copied, baseline);
    report("backup: comparing", &verified, bytes, compared, baseline);

    let back = folder.path().join("back");
    let started = Instant::now();
    restore(&file, &back, None, false, NOW, &mut |_| ControlFlow::Continue(())).await.unwrap();
    report("restore into a directory, all of it", &verified, bytes, started.elapsed(), baseline);

    for (name, url) in [("embedded", None), ("PostgreSQL", Some(ours.as_str()))] {
        let started = Instant::now();
        let topics = raise_generations(&back, url, false, NOW).await.unwrap().topics;
        println!("raising {topics} generations, {name}: {} ms", started.elapsed().as_millis());
    }
    client.batch_execute("DROP SCHEMA copy_ours CASCADE; DROP SCHEMA copy_plain CASCADE").await.unwrap();
}

fn mb(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes / 1_000).unwrap()) / 1_000.0
}

fn report(what: &str, verified: &Verified, bytes: usize, took: Duration, baseline: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{what:<36} {seconds:>6.1} s {:>9.0} rows/s {:>6.1} MB/s   {:.2} of plain COPY",
        f64::from(u32::try_from(verified.rows).unwrap()) / seconds,
        mb(bytes) / seconds,
        baseline.as_secs_f64() / seconds
    );
}

/// When each stage began and ended.
#[derive(Default)]
struct Stages {
    copying: Option<Instant>,
    verifying: Option<Instant>,
}

impl Stages {
    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        let now = Instant::now();
        match step.stage {
            Stage::CopyingPages | Stage::Copying => self.copying.get_or_insert(now),
            Stage::Verifying => self.verifying.get_or_insert(now),
        };
        ControlFlow::Continue(())
    }

    fn end(&self) -> (Duration, Duration) {
        let verifying = self.verifying.unwrap();
        (verifying.duration_since(self.copying.unwrap()), verifying.elapsed())
    }
}

async fn schema(client: &Client, url: &str, name: &str) -> String {
    client
        .batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"))
        .await
        .unwrap();
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}options=-c%20search_path%3D{name}")
}

/// The rows of one schema, from memory, into the tables of another: one `COPY` a table.
async fn plain_copy(client: &Client, url: &str) -> (usize, Duration) {
    drop(store::postgres::open(url, 1).await.unwrap());
    let tables = client
        .query(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'copy_ours' \
             AND tablename NOT IN ('migrations', 'placements', 'commits', 'tickets')",
            &[],
        )
        .await
        .unwrap();
    let (mut bytes, mut took) = (0, Duration::ZERO);
    for row in tables {
        let table: &str = row.get(0);
        let out = format!("COPY (SELECT * FROM copy_ours.{table}) TO STDOUT (FORMAT binary)");
        let rows: Vec<_> = client.copy_out(&out).await.unwrap().try_collect().await.unwrap();
        bytes += rows.iter().map(|row: &_| AsRef::<[u8]>::as_ref(row).len()).sum::<usize>();
        let started = Instant::now();
        let into = format!("COPY copy_plain.{table} FROM STDIN (FORMAT binary)");
        let mut sink = pin!(client.copy_in::<_, Cursor<Vec<u8>>>(&into).await.unwrap());
        for part in rows.chunks(1_000) {
            let joined = part.iter().flat_map(AsRef::<[u8]>::as_ref).copied().collect();
            sink.send(Cursor::new(joined)).await.unwrap();
        }
        sink.finish().await.unwrap();
        took += started.elapsed();
    }
    (bytes, took)
}

/// An embedded store with messages in many channels.
async fn fill(data: &Path) {
    let (mut log, _store) = store::sqlite::open(data).unwrap();
    let owner = NewPerson {
        id: ANN,
        name: "ann".to_owned(),
        real_name: "Ann".to_owned(),
        email: "ann@example.org".to_owned(),
        password_hash: None,
        role: Role::Owner,
        tz: "UTC".to_owned(),
        quiet: true,
    };
    let mut kinds = vec![WriteKind::CreateWorkspace {
        name: "W".to_owned(),
        domain: "w".to_owned(),
        general: ChannelId::from_raw(10),
        random: ChannelId::from_raw(11),
        owner: Box::new(owner),
        only_first: true,
    }];
    let channel = |number: usize| ChannelId::from_raw(1_000 + u64::try_from(number).unwrap());
    let by = By { user: ANN, role: Role::Owner };
    for number in 0..TOPICS {
        let name = ChannelName::parse(&format!("c{number}")).unwrap();
        kinds.push(WriteKind::CreateChannel { id: channel(number), name, private: false, by });
    }
    for number in 0..MESSAGES {
        let draft = Draft {
            channel: channel(number % TOPICS),
            author: ANN,
            bot: None,
            subtype: None,
            text: MessageText::new(format!("{number} {TEXT}")).unwrap(),
            blocks: None,
            attachments: None,
            metadata: None,
            client_msg_id: Some(format!("{number:08x}-0000-4000-8000-000000000000").parse().unwrap()),
            thread: None,
            broadcast: false,
            mentions: Vec::new(),
            mentions_everyone: false,
        };
        kinds.push(WriteKind::Post { draft: Box::new(draft), public_without_membership: false });
    }
    for batch in kinds.chunks(BATCH) {
        let writes = batch.iter().cloned().map(|kind| Write { workspace: WS, kind }).collect();
        let outcomes = log.commit(writes, NOW).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
        log.maintain().await.unwrap();
    }
}
