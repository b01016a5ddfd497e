//! What the server said in the tests, read by slack-morphism's types, which refuse what lacks a member or has one of
//! another type: `recordings FOLDER...` prints `ok NAME` or `not ok NAME: why` for each method and event type.
//!
//! A recording is a JSON object a line: `kind` (`response`, `rtm`, `realtime`), `name` (method or event type), `body`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;
use slack_morphism::api::*;
use slack_morphism::events::SlackEventCallbackBody;

type Read = fn(&Value) -> Result<(), String>;

fn read<T: DeserializeOwned>(body: &Value) -> Result<(), String> {
    serde_path_to_error::deserialize::<_, T>(body).map(drop).map_err(|error| error.to_string())
}

/// The type of a method's answer; `None`: the crate has none.
fn answer(method: &str) -> Option<Read> {
    macro_rules! types {
        ($($name:literal => $type:ty,)*) => {
            match method { $($name => Some(read::<$type> as Read),)* _ => None }
        };
    }
    types! {
        "api.test" => SlackApiTestResponse,
        "auth.test" => SlackApiAuthTestResponse,
        "bots.info" => SlackApiBotsInfoResponse,
        "chat.delete" => SlackApiChatDeleteResponse,
        "chat.deleteScheduledMessage" => SlackApiChatDeleteScheduledMessageResponse,
        "chat.getPermalink" => SlackApiChatGetPermalinkResponse,
        "chat.postEphemeral" => SlackApiChatPostEphemeralResponse,
        "chat.postMessage" => SlackApiChatPostMessageResponse,
        "chat.scheduleMessage" => SlackApiChatScheduleMessageResponse,
        "chat.scheduledMessages.list" => SlackApiChatScheduledMessagesListResponse,
        "chat.update" => SlackApiChatUpdateResponse,
        "conversations.archive" => SlackApiConversationsArchiveResponse,
        "conversations.close" => SlackApiConversationsCloseResponse,
        "conversations.create" => SlackApiConversationsCreateResponse,
        "conversations.history" => SlackApiConversationsHistoryResponse,
        "conversations.info" => SlackApiConversationsInfoResponse,
        "conversations.invite" => SlackApiConversationsInviteResponse,
        "conversations.join" => SlackApiConversationsJoinResponse,
        "conversations.kick" => SlackApiConversationsKickResponse,
        "conversations.leave" => SlackApiConversationsLeaveResponse,
        "conversations.list" => SlackApiConversationsListResponse,
        "conversations.members" => SlackApiConversationsMembersResponse,
        "conversations.open" => SlackApiConversationsOpenResponse<slack_morphism::SlackBasicChannelInfo>,
        "conversations.rename" => SlackApiConversationsRenameResponse,
        "conversations.replies" => SlackApiConversationsRepliesResponse,
        "conversations.setPurpose" => SlackApiConversationsSetPurposeResponse,
        "conversations.setTopic" => SlackApiConversationsSetTopicResponse,
        "conversations.unarchive" => SlackApiConversationsUnarchiveResponse,
        "files.completeUploadExternal" => SlackApiFilesCompleteUploadExternalResponse,
        "files.delete" => SlackApiFilesDeleteResponse,
        "files.getUploadURLExternal" => SlackApiFilesGetUploadUrlExternalResponse,
        "files.info" => SlackApiFilesInfoResponse,
        "files.list" => SlackApiFilesListResponse,
        "files.upload" => SlackApiFilesUploadResponse,
        "pins.add" => SlackApiPinsAddResponse,
        "pins.list" => SlackApiPinsListResponse,
        "pins.remove" => SlackApiPinsRemoveResponse,
        "reactions.add" => SlackApiReactionsAddResponse,
        "reactions.get" => SlackApiReactionsGetResponse,
        "reactions.remove" => SlackApiReactionsRemoveResponse,
        "team.info" => SlackApiTeamInfoResponse,
        "users.conversations" => SlackApiUsersConversationsResponse,
        "users.getPresence" => SlackApiUsersGetPresenceResponse,
        "users.info" => SlackApiUsersInfoResponse,
        "users.list" => SlackApiUsersListResponse,
        "users.lookupByEmail" => SlackApiUsersLookupByEmailResponse,
        "users.profile.get" => SlackApiUsersProfileGetResponse,
        "users.profile.set" => SlackApiUsersProfileSetResponse,
        "users.setPresence" => SlackApiUsersSetPresenceResponse,
    }
}

/// The type of an event. The crate reads what it does not know as `Unknown`, and so it does with what it knows and cannot
/// read: with the type of each event named here, that is a failure, said by that type.
fn event(kind: &str) -> Option<Read> {
    use slack_morphism::events::*;
    macro_rules! types {
        ($($name:literal => $type:ty,)*) => {
            match kind { $($name => Some(read::<$type> as Read),)* _ => None }
        };
    }
    types! {
        "channel_archive" => SlackChannelArchiveEvent,
        "channel_created" => SlackChannelCreatedEvent,
        "channel_deleted" => SlackChannelDeletedEvent,
        "channel_rename" => SlackChannelRenameEvent,
        "channel_unarchive" => SlackChannelUnarchiveEvent,
        "file_change" => SlackFileChangedEvent,
        "file_created" => SlackFileCreatedEvent,
        "file_deleted" => SlackFileDeletedEvent,
        "file_public" => SlackFilePublicEvent,
        "file_shared" => SlackFileSharedEvent,
        "file_unshared" => SlackFileUnsharedEvent,
        "member_joined_channel" => SlackMemberJoinedChannelEvent,
        "member_left_channel" => SlackMemberLeftChannelEvent,
        "message" => SlackMessageEvent,
        "reaction_added" => SlackReactionAddedEvent,
        "reaction_removed" => SlackReactionRemovedEvent,
        "team_join" => SlackTeamJoinEvent,
        "user_change" => SlackUserChangeEvent,
        "user_status_changed" => SlackUserStatusChangedEvent,
    }
}

/// What was read of a method or event type.
#[derive(Default)]
struct Tally {
    read: usize,
    complaints: BTreeMap<String, Value>,
}

fn main() -> Result<ExitCode> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut untyped = BTreeSet::new();
    for folder in std::env::args().skip(1) {
        let Ok(files) = fs::read_dir(&folder) else { continue };
        for file in files {
            let path = file?.path();
            for line in BufReader::new(fs::File::open(&path)?).lines() {
                let recording: Value =
                    serde_json::from_str(&line?).with_context(|| path.display().to_string())?;
                look(&recording, &mut tallies, &mut untyped)?;
            }
        }
    }
    ensure!(!tallies.is_empty(), "nothing was recorded");
    let mut failed = false;
    for (name, tally) in &tallies {
        if tally.complaints.is_empty() {
            println!("ok {name} ({} read)", tally.read);
        }
        for (complaint, body) in &tally.complaints {
            failed = true;
            let body: String = body.to_string().chars().take(400).collect();
            println!("not ok {name}: {complaint}: {body}");
        }
    }
    println!("# the crate has no types for: {}", untyped.into_iter().collect::<Vec<_>>().join(", "));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The payload of a message's metadata is any JSON to Slack, to the crate only texts: of others it gets their JSON.
fn payloads_of_texts(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(payloads_of_texts),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Object(payload) if name == "event_payload" => {
                        for part in payload.values_mut().filter(|part| !part.is_string()) {
                            *part = Value::String(part.to_string());
                        }
                    }
                    member => payloads_of_texts(member),
                }
            }
        }
        _ => {}
    }
}

fn look(
    recording: &Value,
    tallies: &mut BTreeMap<String, Tally>,
    untyped: &mut BTreeSet<String>,
) -> Result<()> {
    let text = |key: &str| recording[key].as_str().with_context(|| format!("no {key}: {recording}"));
    let (kind, name, mut body) = (text("kind")?, text("name")?, recording["body"].clone());
    payloads_of_texts(&mut body);
    let body = &body;
    let (label, read) = match kind {
        // A refusal is an object of its own, which the programs beside this one meet.
        "response" if body["ok"] != true => return Ok(()),
        "response" => (format!("method {name}"), answer(name)),
        _ => (format!("event {name}"), event(name)),
    };
    let Some(read) = read else {
        untyped.insert(label);
        return Ok(());
    };
    let tally = tallies.entry(label.clone()).or_default();
    tally.read += 1;
    let mut result = read(body);
    if result.is_ok() && kind != "response" {
        let whole: SlackEventCallbackBody = serde_json::from_value(body.clone())?;
        if matches!(whole, SlackEventCallbackBody::Unknown(_)) {
            result = Err("is Unknown to SlackEventCallbackBody".to_owned());
        }
    }
    let Err(complaint) = result else { return Ok(()) };
    // Numbers of places in lists say nothing.
    let complaint: String = complaint.chars().filter(|c| !c.is_ascii_digit()).collect();
    tally.complaints.entry(complaint).or_insert_with(|| body.clone());
    Ok(())
}
