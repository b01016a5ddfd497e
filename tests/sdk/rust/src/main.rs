//! slack-morphism, unmodified, against a started server: prints `ok NAME` or `not ok NAME: why`.
//!
//! The crate reads with GET and writes with JSON bodies, and its types refuse answers that lack a field
//! or have one of another type. It speaks no RTM.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;
use slack_morphism::api::*;
use slack_morphism::errors::SlackClientError;
use slack_morphism::hyper_tokio::SlackClientHyperConnector;
use slack_morphism::prelude::*;

type Connector = SlackClientHyperConnector<HttpConnector>;
type Session<'a> = SlackClientSession<'a, Connector>;

struct Team {
    client: SlackClient<Connector>,
    seed: Value,
    bot: SlackApiToken,
    ann: SlackApiToken,
    bo: SlackApiToken,
}

impl Team {
    fn start() -> Result<Team> {
        let url = std::env::var("PARLANCE_URL")?;
        let seed: Value = serde_json::from_str(&std::fs::read_to_string(std::env::var("PARLANCE_SEED")?)?)?;
        let connector = SlackClientHyperConnector::with_connector(HttpConnector::new());
        let client = SlackClient::new(connector.with_slack_api_url(&format!("{url}/api")));
        let token = |value: &Value| SlackApiToken::new(value.as_str().unwrap_or_default().into());
        let (bot, ann, bo) = (
            token(&seed["bot"]["token"]),
            token(&seed["people"][0]["token"]),
            token(&seed["people"][1]["token"]),
        );
        Ok(Team { client, seed, bot, ann, bo })
    }

    fn bot(&self) -> Session<'_> {
        self.client.open_session(&self.bot)
    }

    fn ann(&self) -> Session<'_> {
        self.client.open_session(&self.ann)
    }

    fn bo(&self) -> Session<'_> {
        self.client.open_session(&self.bo)
    }

    fn text(&self, pointer: &str) -> String {
        self.seed.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn everybody(&self) -> BTreeSet<String> {
        let lists = ["people", "members"].into_iter().filter_map(|key| self.seed[key].as_array());
        lists.flatten().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
    }
}

fn says(text: &str) -> SlackMessageContent {
    SlackMessageContent::new().with_text(text.into())
}

async fn channel(session: &Session<'_>, name: &str) -> Result<SlackChannelId> {
    let name = format!("{name}-{}", std::process::id());
    let made = session.conversations_create(&SlackApiConversationsCreateRequest::new(name.clone())).await?;
    ensure!(made.channel.name.as_ref() == Some(&name), "{:?}", made.channel.name);
    Ok(made.channel.id)
}

async fn post(session: &Session<'_>, channel: &SlackChannelId, text: &str) -> Result<SlackTs> {
    let request = SlackApiChatPostMessageRequest::new(channel.clone(), says(text));
    let posted = session.chat_post_message(&request).await?;
    ensure!(&posted.channel == channel && posted.message.content.text.as_deref() == Some(text), "{posted:?}");
    Ok(posted.ts)
}

async fn history(session: &Session<'_>, channel: &SlackChannelId) -> Result<Vec<SlackHistoryMessage>> {
    let request = SlackApiConversationsHistoryRequest::new().with_channel(channel.clone()).with_limit(100);
    Ok(session.conversations_history(&request).await?.messages)
}

fn code<T: std::fmt::Debug>(answer: Result<T, SlackClientError>) -> Result<String> {
    match answer {
        Err(SlackClientError::ApiError(error)) => Ok(error.code),
        other => bail!("was not refused: {other:?}"),
    }
}

async fn tests(team: Arc<Team>) -> Tests {
    let mut tests = Tests { failed: 0 };
    tests.run("auth.test and api.test", identity(&team)).await;
    tests.run("post and read back", post_and_read(&team)).await;
    tests.run("blocks", blocks(&team)).await;
    tests.run("edit", edit(&team)).await;
    tests.run("delete", delete(&team)).await;
    tests.run("reactions", reactions(&team)).await;
    tests.run("threads", threads(&team)).await;
    tests.run("channels and members", channels(&team)).await;
    tests.run("direct messages", direct(&team)).await;
    tests.run("people and the team", people(&team)).await;
    tests.run("paginate channels", paginate_channels(&team)).await;
    tests.run("paginate users and members", paginate_people(&team)).await;
    tests.run("paginate history and replies", paginate_messages(&team)).await;
    tests.run("errors have codes", errors(&team)).await;
    tests
}

async fn identity(team: &Team) -> Result<()> {
    let me = team.bot().auth_test().await?;
    ensure!(
        me.user_id.0 == team.text("/bot/user_id") && me.team_id.0 == team.text("/workspace/id"),
        "{me:?}"
    );
    team.bot().api_test(&SlackApiTestRequest::new().with_foo("bar".into())).await?;
    Ok(())
}

async fn post_and_read(team: &Team) -> Result<()> {
    let bot = team.bot();
    let channel = channel(&bot, "m-post").await?;
    let ts = post(&bot, &channel, "héllo 🦀").await?;
    let found = history(&bot, &channel).await?;
    let newest = found.first().context("empty")?;
    ensure!(newest.origin.ts == ts && newest.content.text.as_deref() == Some("héllo 🦀"), "{newest:?}");
    let link = bot.chat_get_permalink(&SlackApiChatGetPermalinkRequest::new(channel, ts)).await?;
    ensure!(link.permalink.path().starts_with("/archives/"), "{}", link.permalink);
    Ok(())
}

async fn blocks(team: &Team) -> Result<()> {
    let bot = team.bot();
    let channel = channel(&bot, "m-blocks").await?;
    let content = says("fallback").with_blocks(slack_blocks![
        some_into(SlackSectionBlock::new().with_text(md!("*hi*"))),
        some_into(SlackDividerBlock::new())
    ]);
    bot.chat_post_message(&SlackApiChatPostMessageRequest::new(channel.clone(), content)).await?;
    let found = history(&bot, &channel).await?;
    let blocks = found.first().and_then(|message| message.content.blocks.as_ref()).context("no blocks")?;
    ensure!(blocks.len() == 2, "{blocks:?}");
    Ok(())
}

async fn edit(team: &Team) -> Result<()> {
    let bot = team.bot();
    let channel = channel(&bot, "m-edit").await?;
    let ts = post(&bot, &channel, "befor").await?;
    let request = SlackApiChatUpdateRequest::new(channel.clone(), says("before"), ts.clone());
    let edited = bot.chat_update(&request).await?;
    ensure!(edited.ts == ts, "{edited:?}");
    let found = history(&bot, &channel).await?;
    let newest = found.first().context("empty")?;
    ensure!(newest.content.text.as_deref() == Some("before") && newest.edited.is_some(), "{newest:?}");
    Ok(())
}

async fn delete(team: &Team) -> Result<()> {
    let bot = team.bot();
    let channel = channel(&bot, "m-delete").await?;
    let ts = post(&bot, &channel, "gone").await?;
    let request = SlackApiChatDeleteRequest::new(channel.clone(), ts.clone());
    bot.chat_delete(&request).await?;
    ensure!(history(&bot, &channel).await?.iter().all(|message| message.origin.ts != ts));
    ensure!(code(bot.chat_delete(&request).await)? == "message_not_found");
    Ok(())
}

async fn reactions(team: &Team) -> Result<()> {
    let bot = team.bot();
    let channel = channel(&bot, "m-react").await?;
    let ts = post(&bot, &channel, "react").await?;
    let wave: SlackReactionName = "wave".into();
    let add = SlackApiReactionsAddRequest::new(channel.clone(), wave.clone(), ts.clone());
    bot.reactions_add(&add).await?;
    ensure!(code(bot.reactions_add(&add).await)? == "already_reacted");
    let get = SlackApiReactionsGetRequest::new().with_channel(channel.clone()).with_timestamp(ts.clone());
    bot.reactions_get(&get).await?;
    let found = history(&bot, &channel).await?;
    let given = found.first().and_then(|message| message.content.reactions.clone()).context("no reaction")?;
    ensure!(given.len() == 1 && given[0].name == wave && given[0].count == 1, "{given:?}");
    let remove = SlackApiReactionsRemoveRequest::new(wave).with_channel(channel.clone()).with_timestamp(ts);
    bot.reactions_remove(&remove).await?;
    Ok(())
}

async fn threads(team: &Team) -> Result<()> {
    let bot = team.bot();
    let channel = channel(&bot, "m-thread").await?;
    let ts = post(&bot, &channel, "parent").await?;
    let mut sent = vec![ts.clone()];
    for text in ["one", "two"] {
        let request =
            SlackApiChatPostMessageRequest::new(channel.clone(), says(text)).with_thread_ts(ts.clone());
        sent.push(bot.chat_post_message(&request).await?.ts);
    }
    let request = SlackApiConversationsRepliesRequest::new(channel, ts);
    let replies = bot.conversations_replies(&request).await?.messages;
    ensure!(
        replies.iter().map(|message| message.origin.ts.clone()).collect::<Vec<_>>() == sent,
        "{replies:?}"
    );
    ensure!(replies[0].parent.reply_count == Some(2), "{:?}", replies[0].parent);
    Ok(())
}

async fn channels(team: &Team) -> Result<()> {
    let (ann, bo) = (team.ann(), team.bo());
    let bo_id: SlackUserId = team.text("/people/1/id").into();
    let channel = channel(&ann, "m-members").await?;
    ann.conversations_invite(&SlackApiConversationsInviteRequest::new(channel.clone(), vec![bo_id.clone()]))
        .await?;
    ann.conversations_kick(&SlackApiConversationsKickRequest::new(channel.clone(), bo_id)).await?;
    bo.conversations_join(&SlackApiConversationsJoinRequest::new(channel.clone())).await?;
    bo.conversations_leave(&SlackApiConversationsLeaveRequest::new(channel.clone())).await?;
    ann.conversations_set_topic(&SlackApiConversationsSetTopicRequest::new(
        channel.clone(),
        "a topic".into(),
    ))
    .await?;
    ann.conversations_set_purpose(&SlackApiConversationsSetPurposeRequest::new(
        channel.clone(),
        "a purpose".into(),
    ))
    .await?;
    let info = ann.conversations_info(&SlackApiConversationsInfoRequest::new(channel.clone())).await?.channel;
    ensure!(info.topic.map(|topic| topic.value) == Some("a topic".into()));
    ann.conversations_archive(&SlackApiConversationsArchiveRequest::new(channel)).await?;
    Ok(())
}

async fn direct(team: &Team) -> Result<()> {
    let bo_id: SlackUserId = team.text("/people/1/id").into();
    let request = SlackApiConversationsOpenRequest::new().with_users(vec![bo_id]);
    let first = team.ann().conversations_open(&request).await?.channel.id;
    let again = team.ann().conversations_open(&request).await?.channel.id;
    ensure!(first == again, "{first:?} {again:?}");
    post(&team.ann(), &first, "between us").await?;
    Ok(())
}

async fn people(team: &Team) -> Result<()> {
    let ann: SlackUserId = team.text("/people/0/id").into();
    let user = team.bot().users_info(&SlackApiUsersInfoRequest::new(ann.clone())).await?.user;
    ensure!(user.id == ann, "{user:?}");
    let info = team.bot().team_info(&SlackApiTeamInfoRequest::new()).await?.team;
    ensure!(info.id.0 == team.text("/workspace/id"), "{info:?}");
    let request = SlackApiUsersConversationsRequest::new().with_types(vec![SlackConversationType::Public]);
    let mine = team.ann().users_conversations(&request).await?.channels;
    ensure!(mine.iter().any(|channel| channel.id.0 == team.text("/channels/general")));
    Ok(())
}

async fn paginate_channels(team: &Team) -> Result<()> {
    let bot = team.bot();
    let mut made = BTreeSet::new();
    for n in 0..4 {
        made.insert(channel(&bot, &format!("m-page-{n}")).await?.0);
    }
    let (mut found, mut cursor) = (BTreeSet::new(), None);
    loop {
        let request = SlackApiConversationsListRequest::new().with_limit(2).opt_cursor(cursor);
        let page = bot.conversations_list(&request).await?;
        ensure!(page.channels.len() <= 2);
        found.extend(page.channels.into_iter().map(|channel| channel.id.0));
        cursor = next(page.response_metadata);
        if cursor.is_none() {
            break;
        }
    }
    ensure!(made.is_subset(&found), "{made:?} not in {found:?}");
    Ok(())
}

fn next(metadata: Option<SlackResponseMetadata>) -> Option<SlackCursorId> {
    metadata.and_then(|metadata| metadata.next_cursor).filter(|cursor| !cursor.0.is_empty())
}

async fn paginate_people(team: &Team) -> Result<()> {
    let (mut found, mut cursor) = (BTreeSet::new(), None);
    loop {
        let request = SlackApiUsersListRequest::new().with_limit(4).opt_cursor(cursor);
        let page = team.bot().users_list(&request).await?;
        found.extend(page.members.into_iter().map(|user| user.id.0));
        cursor = next(page.response_metadata);
        if cursor.is_none() {
            break;
        }
    }
    ensure!(team.everybody().is_subset(&found), "users.list: {found:?}");
    let general: SlackChannelId = team.text("/channels/general").into();
    let (mut found, mut cursor) = (BTreeSet::new(), None);
    loop {
        let request = SlackApiConversationsMembersRequest::new()
            .with_channel(general.clone())
            .with_limit(4)
            .opt_cursor(cursor);
        let page = team.ann().conversations_members(&request).await?;
        found.extend(page.members.into_iter().map(|user| user.0));
        cursor = next(page.response_metadata);
        if cursor.is_none() {
            break;
        }
    }
    ensure!(team.everybody().is_subset(&found), "conversations.members: {found:?}");
    Ok(())
}

async fn paginate_messages(team: &Team) -> Result<()> {
    let bot = team.bot();
    let channel = channel(&bot, "m-history").await?;
    let root = post(&bot, &channel, "root").await?;
    let (mut sent, mut replied) = (vec![root.clone()], Vec::new());
    for n in 0..11 {
        sent.push(post(&bot, &channel, &format!("m{n}")).await?);
        let reply =
            SlackApiChatPostMessageRequest::new(channel.clone(), says("r")).with_thread_ts(root.clone());
        replied.push(bot.chat_post_message(&reply).await?.ts);
    }
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let request = SlackApiConversationsHistoryRequest::new()
            .with_channel(channel.clone())
            .with_limit(5)
            .opt_cursor(cursor);
        let page = bot.conversations_history(&request).await?;
        found.extend(page.messages.into_iter().map(|message| message.origin.ts));
        cursor = next(page.response_metadata);
        if cursor.is_none() {
            break;
        }
    }
    found.retain(|ts| sent.contains(ts));
    found.reverse();
    ensure!(found == sent, "{found:?} is not {sent:?}");
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let request = SlackApiConversationsRepliesRequest::new(channel.clone(), root.clone())
            .with_limit(4)
            .opt_cursor(cursor);
        let page = bot.conversations_replies(&request).await?;
        found.extend(page.messages.into_iter().map(|message| message.origin.ts).filter(|ts| *ts != root));
        cursor = next(page.response_metadata);
        if cursor.is_none() {
            break;
        }
    }
    ensure!(found == replied, "{found:?} is not {replied:?}");
    Ok(())
}

async fn errors(team: &Team) -> Result<()> {
    let request = SlackApiChatPostMessageRequest::new("C0NOTTHERE00".into(), says("x"));
    ensure!(code(team.bot().chat_post_message(&request).await)? == "channel_not_found");
    let nobody = SlackApiToken::new("xoxb-nope".into());
    ensure!(code(team.client.open_session(&nobody).auth_test().await)? == "invalid_auth");
    Ok(())
}

struct Tests {
    failed: u32,
}

impl Tests {
    async fn run(&mut self, name: &str, test: impl Future<Output = Result<()>>) {
        let limited = tokio::time::timeout(std::time::Duration::from_secs(30), test).await;
        match limited.unwrap_or_else(|_| bail!("took longer than 30 s")) {
            Ok(()) => println!("ok {name}"),
            Err(error) => {
                self.failed += 1;
                println!("not ok {name}: {}", format!("{error:#}").replace('\n', " | "));
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let tests = tests(Arc::new(Team::start()?)).await;
    Ok(if tests.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
