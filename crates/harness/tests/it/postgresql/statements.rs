//! What a post and a boot ask of PostgreSQL, counted by PostgreSQL: it does not grow with the channel.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::postgres::{Cluster, Options, missing};
use harness::sandbox::Sandbox;
use harness::socket::{Socket, boot_positions};

use super::{DATABASE, cluster, served};

/// Members of a large channel.
const MANY: usize = 32_000;

/// What was done by the server in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Work {
    /// Statements that were run, without those that come by themselves (the sweep's, the health check's) or with
    /// each BEGIN (whose session it is).
    statements: i64,
    /// Rows that they returned or changed.
    rows: i64,
    /// Pages that they looked at.
    pages: i64,
}

impl Work {
    /// As much as `small`, but for an index that has grown by a level.
    fn is_like(self, small: Self) -> bool {
        self.statements == small.statements
            && self.rows == small.rows
            && self.pages <= small.pages + small.pages / 2 + 40
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_and_a_boot_cost_the_same_in_a_channel_of_any_size() -> Result<()> {
    if missing("statements are counted") {
        return Ok(());
    }
    let settings = vec![
        ("shared_preload_libraries", "pg_stat_statements".to_owned()),
        ("pg_stat_statements.track_utility", "off".to_owned()),
        // A page is counted when it is looked at: nothing else looks meanwhile.
        ("autovacuum", "off".to_owned()),
    ];
    let cluster = cluster(Options { settings, ..Options::default() }).await?;
    cluster.admin_of(DATABASE).await?.batch_execute("CREATE EXTENSION pg_stat_statements").await?;
    let server = served(cluster.url(DATABASE)).await?;
    let [few_post, few_mentions, few_boot] = measure(&cluster, &server).await?;
    fill(&cluster, &server).await?;
    let [many_post, many_mentions, many_boot] = measure(&cluster, &server).await?;
    println!("in a small channel: post {few_post:?}, with two mentions {few_mentions:?}, boot {few_boot:?}");
    println!(
        "with {MANY} members: post {many_post:?}, with two mentions {many_mentions:?}, boot {many_boot:?}"
    );
    for (name, few, many) in [
        ("a post", few_post, many_post),
        ("a post with two mentions", few_mentions, many_mentions),
        ("a boot", few_boot, many_boot),
    ] {
        ensure!(few.statements > 0 && few.pages > 0, "{name}: nothing was counted");
        ensure!(many.is_like(few), "{name} costs more in a large channel: {few:?}, then {many:?}");
    }
    // O(1 + mentions): two mentions are one statement and two rows more.
    ensure!(few_mentions.statements == few_post.statements + 1, "{few_post:?}, {few_mentions:?}");
    ensure!(few_mentions.rows == few_post.rows + 2, "{few_post:?}, {few_mentions:?}");

    // O(own channels): the rows of a boot grow with the channels that somebody is in, its statements do not.
    let member = server.api(&server.seed.members.first().context("no member")?.token);
    for number in 0..20 {
        member.ok("conversations.create", &[("name", &format!("own-{number}"))]).await?;
    }
    // By the first boot Channel Servers learn of the new topics.
    boot(&cluster, &member).await?;
    let more = boot(&cluster, &member).await?;
    println!("in twenty more channels: boot {more:?}");
    ensure!(more.statements == many_boot.statements, "the statements grew: {many_boot:?}, then {more:?}");
    ensure!((20..=20 * 6).contains(&(more.rows - many_boot.rows)), "the rows: {many_boot:?}, then {more:?}");
    Ok(())
}

/// The work of a post, of a post with two mentions, and of a boot, by a member of `general`.
async fn measure(cluster: &Cluster, server: &Sandbox) -> Result<[Work; 3]> {
    let member = server.seed.members.first().context("no member")?;
    let (api, general) = (server.api(&member.token), server.channel("general")?);
    let mentions = format!("<@{}> and <@{}>", server.seed.people[0].id, server.seed.people[1].id);
    // What the first of them prepares, and what Channel Servers learn by it, is not what each of them costs.
    for _ in 0..3 {
        api.post(general, "warm").await?;
        boot(cluster, &api).await?;
    }
    let post = counted(cluster, api.post(general, "hello")).await?;
    let mentioned = counted(cluster, api.post(general, &mentions)).await?;
    Ok([post, mentioned, boot(cluster, &api).await?])
}

/// The work of a boot: what the client asks for, a ticket, and the socket that it opens.
async fn boot(cluster: &Cluster, api: &Api) -> Result<Work> {
    counted(cluster, async {
        let positions = boot_positions(api).await?;
        let mut socket = Socket::realtime(api).await?;
        socket.resume(&positions).await?;
        socket.all_live(&positions).await.map(|_| ())
    })
    .await
}

/// The work of the server for something, once it is done with it.
async fn counted<T>(cluster: &Cluster, work: impl Future<Output = Result<T>>) -> Result<Work> {
    let admin = cluster.admin_of(DATABASE).await?;
    admin.query("SELECT pg_stat_statements_reset()", &[]).await?;
    work.await?;
    let sql = "SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(rows), 0)::bigint, \
               coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint FROM pg_stat_statements s \
               JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = 'parlance' \
               AND s.query NOT LIKE '%FROM commits%' AND s.query NOT LIKE '%FROM migrations%' \
               AND s.query NOT LIKE '%FROM jobs WHERE dead%' \
               AND s.query NOT LIKE '%current_setting%'";
    // What follows an answer (the end of a transaction, a mark) takes a moment: until nothing more comes.
    let mut last = None;
    for _ in 0..20 {
        let row = admin.query_one(sql, &[]).await?;
        let now = Work { statements: row.get(0), rows: row.get(1), pages: row.get(2) };
        if last == Some(now) {
            return Ok(now);
        }
        last = Some(now);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let sql = "SELECT s.calls || ' × ' || left(s.query, 300) FROM pg_stat_statements s JOIN pg_roles r \
               ON r.oid = s.userid WHERE r.rolname = 'parlance' AND s.query NOT LIKE '%FROM commits%' \
               ORDER BY s.calls DESC LIMIT 8";
    let most: Vec<String> = admin.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect();
    anyhow::bail!("the server does not come to rest: {last:?}; most often: {most:#?}")
}

/// Puts many people into `general`, as the store would have. One by one through the server they would take a
/// minute.
async fn fill(cluster: &Cluster, server: &Sandbox) -> Result<()> {
    let admin = cluster.admin_of(DATABASE).await?;
    let sql = format!(
        "WITH general AS (SELECT workspace, channel FROM channels WHERE name = 'general'), \
         member AS (SELECT u.* FROM users u WHERE u.kind = 1 ORDER BY u.usr LIMIT 1), \
         people AS (INSERT INTO users SELECT m.workspace, n, m.kind, m.bot, m.app, 'filler' || n, m.real_name, \
         m.display_name, NULL, NULL, 1, m.tz, m.locale, 0, m.updated, 1 FROM member m, \
         generate_series(1000000::bigint, 1000000 + {MANY} - 1) n RETURNING workspace, usr) \
         INSERT INTO memberships SELECT p.workspace, g.channel, p.usr, 1, 1, 1, 0, 1 FROM people p, general g"
    );
    admin.batch_execute(&sql).await?;
    let sql = "UPDATE channels SET member_count = (SELECT count(*) FROM memberships m WHERE m.channel = \
               channels.channel AND m.present = 1) WHERE name = 'general'";
    admin.batch_execute(sql).await?;
    admin.batch_execute("VACUUM ANALYZE").await?;
    let arguments = [("channel", server.channel("general")?), ("include_num_members", "true")];
    let found = server.person(0)?.ok("conversations.info", &arguments).await?;
    let members = found["channel"]["num_members"].as_u64().context("no number of members")?;
    ensure!(members >= u64::try_from(MANY)?, "general has {members} members");
    Ok(())
}
