//! Two workspaces in one installation know nothing of each other (I5).

use anyhow::{Context, Result};
use harness::http::Api;
use harness::sandbox::{Sandbox, seed};
use harness::socket::{FRAME_WITHIN, Frame, Socket, boot_positions};
use model::{ChannelId, Credential, Role, UserId, WorkspaceId};
use serde_json::json;
use server::config::Config;
use store::{NewCredential, NewPerson, SecretHash, Write, WriteKind};

/// The owner of a second workspace.
pub(crate) struct Stranger {
    workspace: String,
    pub(crate) user: String,
    pub(crate) general: String,
    pub(crate) token: String,
}

/// Adds a workspace to one of the databases of a seeded store that nobody serves. The command that makes one
/// gives its owner no token, so this is the one place where a test reaches behind the binary.
pub(crate) async fn add_workspace(config: &Config, shard: usize) -> Result<Stranger> {
    let (mut log, _held) = server::stores::open(config).await?.into_log(shard)?;
    let workspace = WorkspaceId::from_random(getrandom::u64()?);
    let (user, general) = (UserId::from_random(getrandom::u64()?), ChannelId::from_random(getrandom::u64()?));
    let owner = NewPerson {
        id: user,
        name: "stranger".to_owned(),
        real_name: "A Stranger".to_owned(),
        email: "stranger@elsewhere.example".to_owned(),
        password_hash: None,
        role: Role::PrimaryOwner,
        tz: "Europe/Berlin".to_owned(),
        quiet: true,
    };
    let token = api::tokens::generate(Credential::User, workspace, None)?;
    let credential = NewCredential {
        secret: SecretHash::of(&token),
        kind: Credential::User,
        user: Some(user),
        bot: None,
        app: None,
        scopes: api::methods::every_scope(Credential::User),
        expires: None,
    };
    let kinds = [
        WriteKind::CreateWorkspace {
            name: "Elsewhere".to_owned(),
            domain: "elsewhere".to_owned(),
            general,
            random: ChannelId::from_random(getrandom::u64()?),
            owner: Box::new(owner),
            only_first: false,
        },
        WriteKind::AddCredential(credential),
    ];
    let writes = kinds.map(|kind| Write { workspace, kind }).to_vec();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_micros().try_into()?;
    for outcome in log.commit(writes, now).await? {
        outcome.result.context("the second workspace")?;
    }
    Ok(Stranger {
        workspace: workspace.to_string(),
        user: user.to_string(),
        general: general.to_string(),
        token,
    })
}

#[tokio::test]
async fn nothing_crosses_between_two_workspaces() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let seeded = seed(&data, 0).await?;
    let config = Config { data: data.to_str().context("path")?.to_owned(), ..Config::default() };
    let stranger = add_workspace(&config, 0).await?;
    let server = Sandbox::on(&data, seeded).await?;
    let (ann, theirs) = (server.person(0)?, server.api(&stranger.token));
    let me = theirs.ok("auth.test", &[]).await?;
    assert_eq!(me["team_id"], stranger.workspace.as_str());

    let mut realtime = Socket::realtime(&theirs).await?;
    realtime.resume(&boot_positions(&theirs).await?).await?;
    let mut rtm = Socket::rtm(&theirs).await?;
    let canary = format!("canary{}", uuid::Uuid::new_v4().simple());
    let general = server.channel("general")?;
    let made = ann.ok("conversations.create", &[("name", &canary[..30])]).await?;
    let public = made["channel"]["id"].as_str().context("channel")?;
    let ts = ann.post(general, &canary).await?;
    ann.ok("reactions.add", &[("channel", general), ("timestamp", &ts), ("name", "wave")]).await?;
    ann.ok("chat.update", &[("channel", general), ("ts", &ts), ("text", &format!("{canary}!"))]).await?;

    nothing_heard(&mut realtime, &mut rtm, &theirs, &stranger, &canary[..20]).await?;
    let ann_id = server.seed.people[0].id.as_str();
    asks(&theirs, general, &ts, ann_id).await?;
    asks(&theirs, public, &ts, ann_id).await?;
    // And the other way round.
    let hers = theirs.post(&stranger.general, "ours").await?;
    asks(&ann, &stranger.general, &hers, &stranger.user).await?;
    for method in ["conversations.list", "users.list", "team.info", "client.userBoot", "users.conversations"]
    {
        let answer = theirs.ok(method, &[]).await?.to_string();
        for foreign in [&canary[..20], general, public, ann_id, server.seed.workspace.id.as_str()] {
            assert!(!answer.contains(foreign), "{method} has {foreign}: {answer}");
        }
    }
    Ok(())
}

async fn nothing_heard(
    realtime: &mut Socket,
    rtm: &mut Socket,
    theirs: &Api,
    stranger: &Stranger,
    canary: &str,
) -> Result<()> {
    let fence = theirs.post(&stranger.general, "a fence").await?;
    for socket in [realtime, rtm] {
        loop {
            match socket.next(FRAME_WITHIN).await? {
                Frame::Json(frame) => {
                    assert!(!frame.to_string().contains(canary), "{frame}");
                    if frame["ts"] == fence.as_str() {
                        break;
                    }
                }
                closed => panic!("{closed:?}"),
            }
        }
    }
    Ok(())
}

/// Somebody of another workspace asks for a channel, a message and a person: they do not exist.
async fn asks(stranger: &Api, channel: &str, ts: &str, user: &str) -> Result<()> {
    for (method, more) in [
        ("conversations.info", vec![]),
        ("conversations.history", vec![]),
        ("conversations.replies", vec![("ts", ts)]),
        ("conversations.members", vec![]),
        ("conversations.join", vec![]),
        ("conversations.mark", vec![("ts", ts)]),
        ("conversations.setTopic", vec![("topic", "x")]),
        ("conversations.archive", vec![]),
        ("conversations.invite", vec![("users", user)]),
        ("chat.postMessage", vec![("text", "x")]),
        ("chat.update", vec![("ts", ts), ("text", "x")]),
        ("chat.delete", vec![("ts", ts)]),
        ("chat.getPermalink", vec![("message_ts", ts)]),
        ("reactions.add", vec![("timestamp", ts), ("name", "eyes")]),
        ("reactions.get", vec![("timestamp", ts)]),
        ("parlance.journey", vec![("ts", ts)]),
    ] {
        let error = stranger.refused(method, &[vec![("channel", channel)], more.clone()].concat()).await?;
        let nowhere = stranger.refused(method, &[vec![("channel", "C0NOTTHERE000")], more].concat()).await?;
        assert_eq!(error, nowhere, "{method} tells the two apart");
    }
    assert_eq!(stranger.refused("users.info", &[("user", user)]).await?, "user_not_found");
    stranger.refused("conversations.open", &[("users", user)]).await?;
    let mut socket = Socket::realtime(stranger).await?;
    socket.send(&json!({"type": "resume", "positions": {channel: [1, 1], user: [1, 1]}})).await?;
    let mut unanswered = vec![channel, user];
    while !unanswered.is_empty() {
        let answer =
            socket.until("_gone", |frame| unanswered.iter().any(|topic| frame["t"] == *topic)).await?;
        assert_eq!(answer["type"], "_gone", "{answer}");
        unanswered.retain(|topic| answer["t"] != *topic);
    }
    Ok(())
}
