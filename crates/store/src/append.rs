//! The write path: decides each item of a batch in order, then writes what changed.
//!
//! [`Batch`] holds the rows that the batch has touched, as its items left them, so that each item sees
//! its predecessors; rows are read when an item first needs them and written once, at the end. Each
//! item first checks, then changes: a refusal leaves no trace.

mod accounts;
mod changes;
mod channels;
pub(crate) mod files;
pub(crate) mod jobs;
mod marks;
mod membership;
pub(crate) mod people;
mod pins;
mod post;
mod reactions;
mod rights;
pub(crate) mod scheduled;
mod threads;

use std::collections::HashMap;

use model::{Event, EventKind, Generation, Micros, Position, Seq, Topic, TopicId, Ts, WorkspaceId};

pub(crate) use changes::Batch;

use crate::{
    Done, Outcome, Refusal, StoreError, Write, WriteKind,
    tx::{Tx, Value},
};

/// Why an item made nothing: the store decided, or failed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A value for the caller.
    Refused(Refusal),
    /// The end of the batch.
    Failed(StoreError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Result of deciding one item.
pub(crate) type Decided<T = Done> = Result<T, Stop>;

/// Decides and writes a batch inside the transaction `tx`. Returns the outcomes.
///
/// # Errors
/// The engine's; the caller rolls back.
pub(crate) async fn append(
    tx: &mut dyn Tx,
    items: Vec<Write>,
    now: Micros,
) -> Result<Vec<Outcome>, StoreError> {
    let (workspaces, topics) = touched(&items);
    let mut batch = Batch::new(tx, now);
    if items.iter().any(|item| matches!(item.kind, WriteKind::CreateWorkspace { .. })) {
        batch.lock_installation().await?;
    }
    batch.open(&workspaces, &topics, &items).await?;
    let mut outcomes = Vec::with_capacity(items.len());
    for item in items {
        let result = match decide(&mut batch, item).await {
            Ok(done) => Ok(done),
            Err(Stop::Refused(refusal)) => Err(refusal),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let events = batch.take_events();
        debug_assert!(result.is_ok() || events.is_empty(), "a refused item made events");
        outcomes.push(Outcome { result, events });
    }
    batch.finish().await?;
    Ok(outcomes)
}

/// Workspaces and topics that the items write, sorted. What is not known before an item was decided (the
/// default channels of a new person, say) is not among them and is locked when it is first looked at; whatever
/// must be unique in a workspace takes the workspace's topic.
fn touched(items: &[Write]) -> (Vec<WorkspaceId>, Vec<Topic>) {
    let mut workspaces: Vec<WorkspaceId> = items.iter().map(|item| item.workspace).collect();
    workspaces.sort_unstable();
    workspaces.dedup();
    let mut topics: Vec<Topic> = items.iter().flat_map(topics_of).collect();
    topics.sort_unstable();
    topics.dedup();
    (workspaces, topics)
}

fn topics_of(item: &Write) -> Vec<Topic> {
    let workspace = item.workspace;
    let channel = |id: model::ChannelId| Topic { workspace, id: TopicId::Channel(id) };
    let user = |id: model::UserId| user_topic(workspace, id);
    match &item.kind {
        WriteKind::Post { draft, .. } | WriteKind::Schedule { draft, .. } => {
            // A reply makes its author and those whom it mentions follow the thread.
            let followers = draft.mentions.iter().chain([&draft.author]).filter(|_| draft.thread.is_some());
            followers.map(|who| user(*who)).chain([channel(draft.channel)]).collect()
        }
        WriteKind::Edit { channel: id, .. }
        | WriteKind::Delete { channel: id, .. }
        | WriteKind::React { channel: id, .. }
        | WriteKind::Unreact { channel: id, .. }
        | WriteKind::SetTopic { channel: id, .. }
        | WriteKind::SetPurpose { channel: id, .. }
        | WriteKind::Pin { channel: id, .. }
        | WriteKind::Unpin { channel: id, .. }
        | WriteKind::Unschedule { channel: id, .. }
        | WriteKind::PostScheduled { channel: id, .. } => vec![channel(*id)],
        WriteKind::Archive { channel: id, .. }
        | WriteKind::Unarchive { channel: id, .. }
        | WriteKind::Rename { channel: id, .. }
        | WriteKind::Convert { channel: id, .. } => vec![channel(*id), workspace_topic(workspace)],
        WriteKind::Join { channel: id, by }
        | WriteKind::Leave { channel: id, by }
        | WriteKind::SetOpen { channel: id, by, .. }
        | WriteKind::FollowThread { channel: id, by, .. }
        | WriteKind::MarkThread { channel: id, by, .. }
        | WriteKind::Mark { channel: id, by, .. } => {
            vec![channel(*id), user(by.user)]
        }
        WriteKind::Kick { channel: id, user: who, .. } => vec![channel(*id), user(*who)],
        WriteKind::Invite { channel: id, users, .. } => {
            users.iter().map(|who| user(*who)).chain([channel(*id)]).collect()
        }
        WriteKind::CreateChannel { by, .. } => vec![workspace_topic(workspace), user(by.user)],
        WriteKind::OpenDirect { by, others, .. } => {
            let people = others.iter().map(|who| user(*who));
            people.chain([workspace_topic(workspace), user(by.user)]).collect()
        }
        WriteKind::SetProfile { user: who, .. }
        | WriteKind::SetPhoto { user: who, .. }
        | WriteKind::ExpireStatus { user: who, .. }
        | WriteKind::SetDnd { user: who, .. } => vec![user(*who), workspace_topic(workspace)],
        WriteKind::SetPreferences { user: who, .. } | WriteKind::SetPresence { user: who, .. } => {
            vec![user(*who)]
        }
        WriteKind::CompleteUpload { by, shares, .. } => {
            let followers = shares.iter().filter(|draft| draft.thread.is_some());
            let followers = followers.flat_map(|draft| draft.mentions.iter().map(|who| user(*who)));
            let channels = shares.iter().map(|draft| channel(draft.channel));
            channels.chain(followers).chain([user(by.user), workspace_topic(workspace)]).collect()
        }
        WriteKind::SetImage { channels, .. }
        | WriteKind::SetPublicLink { channels, .. }
        | WriteKind::DeleteFile { channels, .. } => {
            channels.iter().map(|id| channel(*id)).chain([workspace_topic(workspace)]).collect()
        }
        WriteKind::BeginUpload(_) | WriteKind::StoreUpload(_) | WriteKind::ExpireUpload { .. } => {
            vec![workspace_topic(workspace)]
        }
        WriteKind::CreateWorkspace { .. }
        | WriteKind::AddPerson(_)
        | WriteKind::AddBot { .. }
        | WriteKind::AcceptInvite { .. }
        | WriteKind::CreateInvite { .. }
        | WriteKind::SetTeamPreferences { .. }
        | WriteKind::ShiftGenerations => vec![workspace_topic(workspace)],
        WriteKind::AddCredential(_)
        | WriteKind::RevokeCredential { .. }
        | WriteKind::RevokeSessions { .. }
        | WriteKind::SetPassword { .. }
        | WriteKind::AddTicket(_)
        | WriteKind::UseTicket { .. }
        | WriteKind::Enqueue(_)
        | WriteKind::LeaseJob { .. }
        | WriteKind::FinishJob { .. }
        | WriteKind::FailJob { .. }
        | WriteKind::ReplayJob { .. }
        | WriteKind::DropJob { .. } => Vec::new(),
    }
}

async fn decide(batch: &mut Batch<'_>, item: Write) -> Decided {
    let workspace = item.workspace;
    if !matches!(item.kind, WriteKind::CreateWorkspace { .. }) && !batch.is_here(workspace).await? {
        return Err(Refusal::NotHere.into());
    }
    match item.kind {
        WriteKind::Post { draft, public_without_membership } => {
            post::post(batch, workspace, *draft, public_without_membership).await
        }
        WriteKind::Edit {
            channel,
            ts,
            by,
            text,
            blocks,
            attachments,
            metadata,
            broadcast,
            mentions,
            mentions_everyone,
        } => {
            let edit =
                post::Edit { text, blocks, attachments, metadata, broadcast, mentions, mentions_everyone };
            post::edit(batch, workspace, channel, ts, by, edit).await
        }
        WriteKind::Delete { channel, ts, by } => post::delete(batch, workspace, channel, ts, by).await,
        WriteKind::React { channel, ts, by, name } => {
            reactions::add(batch, workspace, channel, ts, by, name).await
        }
        WriteKind::Unreact { channel, ts, by, name } => {
            reactions::remove(batch, workspace, channel, ts, by, name).await
        }
        WriteKind::CreateChannel { id, name, private, by } => {
            channels::create(batch, workspace, id, &name, private, by).await
        }
        WriteKind::OpenDirect { id, by, others, only_existing } => {
            channels::open_direct(batch, workspace, id, by, &others, only_existing).await
        }
        WriteKind::Join { channel, by } => membership::join(batch, workspace, channel, by).await,
        WriteKind::Leave { channel, by } => membership::leave(batch, workspace, channel, by).await,
        WriteKind::Invite { channel, by, users, force } => {
            membership::invite(batch, workspace, channel, by, &users, force).await
        }
        WriteKind::Kick { channel, by, user } => membership::kick(batch, workspace, channel, by, user).await,
        WriteKind::SetTopic { channel, by, value } => {
            channels::describe(batch, workspace, channel, by, value, channels::Which::Topic).await
        }
        WriteKind::SetPurpose { channel, by, value } => {
            channels::describe(batch, workspace, channel, by, value, channels::Which::Purpose).await
        }
        WriteKind::Archive { channel, by } => channels::archive(batch, workspace, channel, by).await,
        WriteKind::Unarchive { channel, by } => channels::unarchive(batch, workspace, channel, by).await,
        WriteKind::Rename { channel, by, name } => {
            channels::rename(batch, workspace, channel, by, &name).await
        }
        WriteKind::Convert { channel, by, to } => channels::convert(batch, workspace, channel, by, to).await,
        WriteKind::SetOpen { channel, by, open: false } => {
            channels::close(batch, workspace, channel, by).await
        }
        WriteKind::SetOpen { channel, by, open: true } => {
            let changed = channels::reopen(batch, workspace, channel, by.user).await?;
            Ok(Done::Membership { changed })
        }
        WriteKind::Pin { channel, ts, by } => pins::add(batch, workspace, channel, ts, by).await,
        WriteKind::Unpin { channel, ts, by } => pins::remove(batch, workspace, channel, ts, by).await,
        WriteKind::Mark { channel, by, ts } => marks::mark(batch, workspace, channel, by, ts).await,
        WriteKind::FollowThread { channel, thread, by, active, last_read } => {
            threads::follow(batch, workspace, (channel, thread), by, active, last_read).await
        }
        WriteKind::MarkThread { channel, thread, by, ts } => {
            threads::mark(batch, workspace, (channel, thread), by, ts).await
        }
        WriteKind::SetProfile { user, by, change } => {
            people::set_profile(batch, workspace, user, by, *change).await
        }
        WriteKind::SetPhoto { user, photo, job } => {
            people::set_photo(batch, workspace, user, photo, job).await
        }
        WriteKind::ExpireStatus { user, expiration } => {
            people::expire_status(batch, workspace, user, expiration).await
        }
        WriteKind::SetDnd { user, dnd } => people::set_dnd(batch, workspace, user, dnd).await,
        WriteKind::SetTeamPreferences { by, values, default_channels } => {
            rights::set(batch, workspace, by, values, default_channels).await
        }
        WriteKind::SetPresence { user, away } => people::set_presence(batch, workspace, user, away).await,
        WriteKind::SetPreferences { user, values } => {
            people::set_preferences(batch, workspace, user, values).await
        }
        WriteKind::Schedule { id, job, draft, public_without_membership, post_at } => {
            scheduled::schedule(batch, workspace, (id, job), *draft, public_without_membership, post_at).await
        }
        WriteKind::Unschedule { id, channel, by } => {
            scheduled::unschedule(batch, workspace, id, channel, by).await
        }
        WriteKind::PostScheduled { id, .. } => scheduled::post(batch, workspace, id).await,
        WriteKind::BeginUpload(upload) => files::begin(batch, workspace, *upload).await,
        WriteKind::StoreUpload(upload) => files::store(batch, workspace, *upload).await,
        WriteKind::CompleteUpload { by, files, shares, public_without_membership } => {
            files::complete(batch, workspace, by, files, shares, public_without_membership).await
        }
        WriteKind::ExpireUpload { file } => files::expire(batch, workspace, file).await,
        WriteKind::SetImage { file, image, .. } => files::set_image(batch, workspace, file, image).await,
        WriteKind::SetPublicLink { file, by, secret, .. } => {
            files::set_public_link(batch, workspace, file, by, secret).await
        }
        WriteKind::DeleteFile { file, by, job, .. } => files::delete(batch, workspace, file, by, job).await,
        WriteKind::Enqueue(job) => {
            jobs::put(batch, workspace, job).await?;
            Ok(Done::Ok)
        }
        WriteKind::LeaseJob { id, run_at, until } => jobs::lease(batch, workspace, id, run_at, until).await,
        WriteKind::FinishJob { id, lease } => jobs::finish(batch, workspace, id, lease).await,
        WriteKind::FailJob { id, lease, error, retry_at } => {
            jobs::fail(batch, workspace, id, lease, error, retry_at).await
        }
        WriteKind::ReplayJob { id } => jobs::replay(batch, workspace, id).await,
        WriteKind::DropJob { id } => jobs::forget(batch, workspace, id).await,
        WriteKind::CreateWorkspace { name, domain, general, random, owner, only_first } => {
            accounts::create_workspace(batch, workspace, name, domain, [general, random], *owner, only_first)
                .await
        }
        WriteKind::AddPerson(person) => accounts::add_person(batch, workspace, *person).await,
        WriteKind::AddBot { user, bot, app, name } => {
            accounts::add_bot(batch, workspace, user, bot, app, name).await
        }
        WriteKind::AcceptInvite { code, person } => {
            accounts::accept_invite(batch, workspace, code, *person).await
        }
        WriteKind::CreateInvite { by, invite } => accounts::create_invite(batch, workspace, by, invite).await,
        WriteKind::AddCredential(credential) => accounts::add_credential(batch, workspace, credential).await,
        WriteKind::RevokeCredential { id } => accounts::revoke_credential(batch, workspace, id).await,
        WriteKind::RevokeSessions { user } => accounts::revoke_sessions(batch, workspace, user).await,
        WriteKind::SetPassword { user, password_hash } => {
            accounts::set_password(batch, workspace, user, password_hash).await
        }
        WriteKind::AddTicket(ticket) => accounts::add_ticket(batch, workspace, ticket).await,
        WriteKind::UseTicket { secret } => accounts::use_ticket(batch, workspace, secret).await,
        WriteKind::ShiftGenerations => accounts::shift_generations(batch, workspace).await,
    }
}

/// A topic as the batch left it.
#[derive(Debug, Clone, Copy)]
struct TopicState {
    generation: Generation,
    last_seq: Seq,
    last_ts: Ts,
    /// Events up to here are gone.
    trimmed: Seq,
    moved: bool,
}

impl TopicState {
    const NEW: Self = Self {
        generation: Generation::FIRST,
        last_seq: Seq::ZERO,
        last_ts: Ts::ZERO,
        trimmed: Seq::ZERO,
        moved: false,
    };

    /// Takes the next place: `seq` dense, `ts` strictly increasing however the clock jumps.
    fn next(&mut self, now: Micros) -> (Position, Ts) {
        self.last_seq = self.last_seq.next();
        self.last_ts = Ts::from_micros(now.max(self.last_ts.micros() + 1));
        self.moved = true;
        (self.position(), self.last_ts)
    }

    fn position(&self) -> Position {
        Position { generation: self.generation, seq: self.last_seq }
    }
}

/// The columns of an event's row after its key.
fn event_row(event: &Event) -> Vec<Value> {
    use crate::{
        codec::{self, Data, Kind},
        tx::ToValue,
    };
    let none = Data::default;
    let (kind, reference, actor, data) = match &event.kind {
        EventKind::Message { message, .. } => {
            (Kind::Message, message.ts.to_value(), message.author.to_value(), none())
        }
        EventKind::MessageChanged { message, .. } => {
            (Kind::MessageChanged, message.ts.to_value(), message.author.to_value(), none())
        }
        EventKind::MessageDeleted { ts, thread, .. } => {
            let data = Data { thread: thread.map(Ts::micros), ..none() };
            (Kind::MessageDeleted, ts.to_value(), Value::Null, data)
        }
        EventKind::ReactionAdded(change) | EventKind::ReactionRemoved(change) => {
            let kind = if matches!(event.kind, EventKind::ReactionAdded(_)) {
                Kind::ReactionAdded
            } else {
                Kind::ReactionRemoved
            };
            let data = Data { name: Some(change.name.clone()), user: Some(change.item_user.raw()), ..none() };
            (kind, change.ts.to_value(), change.user.to_value(), data)
        }
        EventKind::MemberJoined { user, inviter, .. } => {
            let data = Data { user: inviter.map(model::UserId::raw), ..none() };
            (Kind::MemberJoined, Value::Null, user.to_value(), data)
        }
        EventKind::MemberLeft { user, by, .. } => (
            Kind::MemberLeft,
            Value::Null,
            user.to_value(),
            Data { user: by.map(model::UserId::raw), ..none() },
        ),
        EventKind::GroupArchived { user, channel } => {
            (Kind::GroupArchived, channel.to_value(), user.to_value(), none())
        }
        EventKind::GroupUnarchived { user, channel } => {
            (Kind::GroupUnarchived, channel.to_value(), user.to_value(), none())
        }
        EventKind::GroupRenamed(channel) => (Kind::GroupRenamed, channel.id.to_value(), Value::Null, none()),
        EventKind::PinAdded(change) => {
            (Kind::PinAdded, change.message.ts.to_value(), change.user.to_value(), none())
        }
        EventKind::PinRemoved(change) => {
            (Kind::PinRemoved, change.message.ts.to_value(), change.user.to_value(), none())
        }
        EventKind::FileShared { file, user } => (Kind::FileShared, file.to_value(), user.to_value(), none()),
        EventKind::FileUnshared { file, user } => {
            (Kind::FileUnshared, file.to_value(), user.to_value(), none())
        }
        EventKind::FileChanged(file) => (Kind::FileChanged, file.id.to_value(), Value::Null, none()),
        EventKind::FilePublic { file, user } => (Kind::FilePublic, file.to_value(), user.to_value(), none()),
        EventKind::FileDeleted { file } => (Kind::FileDeleted, file.to_value(), Value::Null, none()),
        EventKind::FileCreated { file, user } => {
            (Kind::FileCreated, file.to_value(), user.to_value(), none())
        }
        EventKind::Opened { channel, .. } => (Kind::Opened, channel.to_value(), Value::Null, none()),
        EventKind::Closed { channel, .. } => (Kind::Closed, channel.to_value(), Value::Null, none()),
        EventKind::ThreadFollowed(subscription) | EventKind::ThreadMarked(subscription) => {
            let followed = matches!(event.kind, EventKind::ThreadFollowed(_));
            let kind = if followed { Kind::ThreadFollowed } else { Kind::ThreadMarked };
            let data = Data { thread: Some(subscription.thread.micros()), ..none() };
            (kind, subscription.channel.to_value(), Value::Null, data)
        }
        EventKind::PreferenceChanged { name, .. } => {
            (Kind::PreferenceChanged, Value::Null, Value::Null, Data { name: Some(name.clone()), ..none() })
        }
        EventKind::TeamPreferenceChanged { name, .. } => {
            let data = Data { name: Some(name.clone()), ..none() };
            (Kind::TeamPreferenceChanged, Value::Null, Value::Null, data)
        }
        EventKind::DndChanged(user) => (Kind::DndChanged, user.id.to_value(), user.id.to_value(), none()),
        EventKind::ManualPresence { .. } => (Kind::ManualPresence, Value::Null, Value::Null, none()),
        EventKind::Joined { channel, at } => {
            let data = Data { position: Some((at.generation.0, at.seq.raw())), ..none() };
            (Kind::Joined, channel.id.to_value(), Value::Null, data)
        }
        EventKind::Left { channel, by, at, .. } => {
            let data = Data {
                position: Some((at.generation.0, at.seq.raw())),
                user: by.map(model::UserId::raw),
                ..none()
            };
            (Kind::Left, channel.to_value(), Value::Null, data)
        }
        EventKind::Marked { channel, ts, .. } => {
            (Kind::Marked, channel.to_value(), Value::Null, Data { read: Some(ts.micros()), ..none() })
        }
        EventKind::ChannelCreated(channel) => {
            (Kind::ChannelCreated, channel.id.to_value(), channel.creator.to_value(), none())
        }
        EventKind::ChannelArchived { user, channel } => {
            (Kind::ChannelArchived, channel.to_value(), user.to_value(), none())
        }
        EventKind::ChannelUnarchived { user, channel } => {
            (Kind::ChannelUnarchived, channel.to_value(), user.to_value(), none())
        }
        EventKind::ChannelRenamed(channel) => {
            (Kind::ChannelRenamed, channel.id.to_value(), Value::Null, none())
        }
        EventKind::ChannelConvertedToPrivate { channel } => {
            (Kind::ChannelConvertedToPrivate, channel.to_value(), Value::Null, none())
        }
        EventKind::TeamJoin(user) => (Kind::TeamJoin, user.id.to_value(), user.id.to_value(), none()),
        EventKind::UserChange(user, part) => {
            let data = Data { name: codec::part_name(*part), ..none() };
            (Kind::UserChange, user.id.to_value(), user.id.to_value(), data)
        }
        EventKind::Nothing => (Kind::UserChange, Value::Null, Value::Null, none()),
    };
    vec![
        event.topic.workspace.to_value(),
        event.topic.id.to_value(),
        event.position.seq.to_value(),
        kind.to_value(),
        event.at.to_value(),
        reference,
        actor,
        data.to_column(),
    ]
}

/// Topics by key, as the batch left them.
type Topics = HashMap<Topic, TopicState>;

/// The topic of a person.
fn user_topic(workspace: WorkspaceId, user: model::UserId) -> Topic {
    Topic { workspace, id: TopicId::User(user) }
}

/// The topic of the workspace.
fn workspace_topic(workspace: WorkspaceId) -> Topic {
    Topic { workspace, id: TopicId::Workspace(workspace) }
}
