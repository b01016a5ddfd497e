//! Several shards as one store: each read goes to the shard of its workspace.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use model::{
    BotId, Channel, ChannelId, CredentialId, HeadRead, Membership, Message, Micros, Position, Subscription,
    Topic, Ts, User, UserId, Workspace, WorkspaceId,
};
use tokio::time::timeout;

use crate::{
    Authenticated, BootSnapshot, Changed, ChannelsQuery, Directory, EventsRead, Invite, Job, MessagePage,
    Placement, Range, Reacted, Scheduled, ScheduledQuery, SecretHash, SessionStart, ShardCheck, Store,
    StoreError, Sweep, ThreadCounts, ThreadPage,
};

/// How long the heads of one shard hold up those of the others.
const HEADS_WITHIN: Duration = Duration::from_secs(1);

/// The read side of several shards. Their sweeps and backups are theirs: ask each
/// [`Shard`](crate::Shard) of the directory.
pub struct ShardedStore {
    directory: Arc<Directory>,
}

impl ShardedStore {
    /// The shards of a directory as one store.
    #[must_use]
    pub fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }

    async fn shard(&self, workspace: WorkspaceId) -> Result<Option<&dyn Store>, StoreError> {
        let place = self.directory.find(workspace).await?;
        Ok(place.and_then(|place| self.directory.shards().get(place)).map(|shard| shard.store.as_ref()))
    }
}

/// Passes a read on to the shard of its workspace; a workspace that is nowhere has `$nothing`.
macro_rules! pass {
    ($self:ident, $workspace:expr, $nothing:expr, |$store:ident| $read:expr) => {
        match $self.shard($workspace).await? {
            Some($store) => $read.await,
            None => Ok($nothing),
        }
    };
}

#[async_trait]
impl Store for ShardedStore {
    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        self.directory.workspaces().await
    }
    async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        pass!(self, id, None, |store| store.workspace(id))
    }
    async fn placement(&self, id: WorkspaceId) -> Result<Option<Placement>, StoreError> {
        pass!(self, id, None, |store| store.placement(id))
    }
    async fn workspace_by_domain(&self, domain: &str) -> Result<Option<Workspace>, StoreError> {
        self.directory.by_domain(domain).await
    }
    async fn authenticate(
        &self,
        workspace: WorkspaceId,
        secret: SecretHash,
        now: Micros,
    ) -> Result<Authenticated, StoreError> {
        pass!(self, workspace, Authenticated::Unknown, |store| store.authenticate(workspace, secret, now))
    }
    async fn credential_state(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        now: Micros,
    ) -> Result<Authenticated, StoreError> {
        pass!(self, workspace, Authenticated::Unknown, |store| store.credential_state(workspace, id, now))
    }
    async fn person_by_email(
        &self,
        workspace: WorkspaceId,
        email: &str,
    ) -> Result<Option<(User, Option<String>)>, StoreError> {
        pass!(self, workspace, None, |store| store.person_by_email(workspace, email))
    }
    async fn invite(&self, workspace: WorkspaceId, code: SecretHash) -> Result<Option<Invite>, StoreError> {
        pass!(self, workspace, None, |store| store.invite(workspace, code))
    }
    async fn user(&self, workspace: WorkspaceId, id: UserId) -> Result<Option<User>, StoreError> {
        pass!(self, workspace, None, |store| store.user(workspace, id))
    }
    async fn users(
        &self,
        workspace: WorkspaceId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>, StoreError> {
        pass!(self, workspace, Vec::new(), |store| store.users(workspace, after, limit))
    }
    async fn channel(
        &self,
        workspace: WorkspaceId,
        id: ChannelId,
        viewer: Option<UserId>,
    ) -> Result<Option<(Channel, Option<Membership>)>, StoreError> {
        pass!(self, workspace, None, |store| store.channel(workspace, id, viewer))
    }
    async fn channels(
        &self,
        workspace: WorkspaceId,
        query: ChannelsQuery,
    ) -> Result<Vec<(Channel, Option<Membership>)>, StoreError> {
        pass!(self, workspace, Vec::new(), |store| store.channels(workspace, query))
    }
    async fn members(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        pass!(self, workspace, Vec::new(), |store| store.members(workspace, channel, after, limit))
    }
    async fn message(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<Message>, StoreError> {
        pass!(self, workspace, None, |store| store.message(workspace, channel, ts))
    }
    async fn message_at(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<(Message, Position)>, StoreError> {
        pass!(self, workspace, None, |store| store.message_at(workspace, channel, ts))
    }
    async fn history(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        range: Range,
    ) -> Result<MessagePage, StoreError> {
        let nothing = MessagePage { messages: Vec::new(), has_more: false, position: Position::START };
        pass!(self, workspace, nothing, |store| store.history(workspace, channel, range))
    }
    async fn replies(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        parent: Ts,
        range: Range,
    ) -> Result<Option<ThreadPage>, StoreError> {
        pass!(self, workspace, None, |store| store.replies(workspace, channel, parent, range))
    }
    async fn boot(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<BootSnapshot>, StoreError> {
        pass!(self, workspace, None, |store| store.boot(workspace, user))
    }
    async fn session(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        credential: CredentialId,
        now: Micros,
    ) -> Result<SessionStart, StoreError> {
        let unknown = SessionStart { credential: Authenticated::Unknown, topics: Vec::new(), user: None };
        pass!(self, workspace, unknown, |store| store.session(workspace, user, credential, now))
    }

    /// Those of a shard that does not answer are [`HeadRead::Later`].
    async fn heads(&self, topics: &[Topic]) -> Result<Vec<HeadRead>, StoreError> {
        let shards = self.directory.shards();
        let workspaces: BTreeSet<WorkspaceId> = topics.iter().map(|topic| topic.workspace).collect();
        let places = workspaces.into_iter().map(|workspace| async move {
            (workspace, timeout(HEADS_WITHIN, self.directory.find(workspace)).await)
        });
        let places: BTreeMap<WorkspaceId, _> = join_all(places).await.into_iter().collect();
        let mut asked: Vec<Vec<(usize, Topic)>> = shards.iter().map(|_| Vec::new()).collect();
        let mut heads = vec![HeadRead::Later; topics.len()];
        for ((number, topic), head) in topics.iter().enumerate().zip(&mut heads) {
            match places.get(&topic.workspace) {
                Some(Ok(Ok(Some(place)))) => {
                    asked.get_mut(*place).into_iter().for_each(|list| list.push((number, *topic)))
                }
                Some(Ok(Ok(None))) => *head = HeadRead::Absent,
                _ => {}
            }
        }
        let asked = shards.iter().zip(asked).filter(|(_, list)| !list.is_empty());
        let answers = asked.map(|(shard, list)| async move {
            let topics: Vec<Topic> = list.iter().map(|(_, topic)| *topic).collect();
            (list, timeout(HEADS_WITHIN, shard.store.heads(&topics)).await)
        });
        for (list, answer) in join_all(answers).await {
            let Ok(Ok(answer)) = answer else { continue };
            for ((number, _), found) in list.into_iter().zip(answer) {
                heads.get_mut(number).into_iter().for_each(|head| *head = found);
            }
        }
        Ok(heads)
    }
    async fn events(&self, topic: Topic, after: Position, limit: u32) -> Result<EventsRead, StoreError> {
        pass!(self, topic.workspace, EventsRead::Unknown, |store| store.events(topic, after, limit))
    }
    async fn position_of(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<Position>, StoreError> {
        pass!(self, workspace, None, |store| store.position_of(workspace, channel, ts))
    }

    async fn bot(&self, workspace: WorkspaceId, bot: BotId) -> Result<Option<User>, StoreError> {
        pass!(self, workspace, None, |store| store.bot(workspace, bot))
    }
    async fn preferences(
        &self,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<Vec<(String, String)>, StoreError> {
        pass!(self, workspace, Vec::new(), |store| store.preferences(workspace, user))
    }
    async fn team_preferences(
        &self,
        workspace: WorkspaceId,
    ) -> Result<(model::TeamPreferences, Vec<ChannelId>), StoreError> {
        let none = (model::TeamPreferences::default(), Vec::new());
        pass!(self, workspace, none, |store| store.team_preferences(workspace))
    }
    async fn pinned(&self, workspace: WorkspaceId, channel: ChannelId) -> Result<Vec<Message>, StoreError> {
        pass!(self, workspace, Vec::new(), |store| store.pinned(workspace, channel))
    }
    async fn reacted(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        viewer: UserId,
        skip: u32,
        limit: u32,
    ) -> Result<Reacted, StoreError> {
        let nothing = Reacted { messages: Vec::new(), total: 0 };
        pass!(self, workspace, nothing, |store| store.reacted(workspace, user, viewer, skip, limit))
    }
    async fn mentioning(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        after: Option<(Ts, ChannelId)>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        pass!(self, workspace, Vec::new(), |store| store.mentioning(workspace, user, after, limit))
    }
    async fn thread_counts(&self, workspace: WorkspaceId, user: UserId) -> Result<ThreadCounts, StoreError> {
        pass!(self, workspace, ThreadCounts::default(), |store| store.thread_counts(workspace, user))
    }
    async fn subscription(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        channel: ChannelId,
        thread: Ts,
    ) -> Result<Option<Subscription>, StoreError> {
        pass!(self, workspace, None, |store| store.subscription(workspace, user, channel, thread))
    }
    async fn followed(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        before: Ts,
        limit: u32,
    ) -> Result<Vec<(Subscription, Ts)>, StoreError> {
        pass!(self, workspace, Vec::new(), |store| store.followed(workspace, user, before, limit))
    }
    async fn scheduled(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        query: ScheduledQuery,
    ) -> Result<Vec<Scheduled>, StoreError> {
        pass!(self, workspace, Vec::new(), |store| store.scheduled(workspace, user, query))
    }

    /// Finds nothing: each shard has a queue of its own, so that none waits for another.
    async fn upload(
        &self,
        workspace: WorkspaceId,
        file: model::FileId,
        secret: SecretHash,
        now: Micros,
    ) -> Result<Option<crate::Upload>, StoreError> {
        pass!(self, workspace, None, |store| store.upload(workspace, file, secret, now))
    }
    async fn file(
        &self,
        workspace: WorkspaceId,
        file: model::FileId,
        viewer: Option<UserId>,
    ) -> Result<Option<crate::FileRead>, StoreError> {
        pass!(self, workspace, None, |store| store.file(workspace, file, viewer))
    }
    async fn files(
        &self,
        workspace: WorkspaceId,
        viewer: UserId,
        query: crate::FilesQuery,
    ) -> Result<crate::FilesPage, StoreError> {
        let nothing = crate::FilesPage { files: Vec::new(), total: 0 };
        pass!(self, workspace, nothing, |store| store.files(workspace, viewer, query))
    }
    async fn due_jobs(&self, _: Micros, _: u32) -> Result<Vec<Job>, StoreError> {
        Ok(Vec::new())
    }

    /// Of those shards that answer.
    async fn dead_jobs(&self, limit: u32) -> Result<Vec<Job>, StoreError> {
        let asked = self.directory.shards().iter().map(|shard| shard.store.dead_jobs(limit));
        Ok(join_all(asked).await.into_iter().flatten().flatten().collect())
    }

    /// Finds nothing: each shard has a sweep of its own, so that none waits for another.
    fn sweep(&self) -> Box<dyn Sweep> {
        Box::new(NoSweep)
    }

    async fn check(&self) -> Vec<ShardCheck> {
        let asked = self.directory.shards().iter().map(|shard| async move {
            let named = |check: ShardCheck| ShardCheck { name: shard.name.clone(), ..check };
            shard.store.check().await.into_iter().map(named).collect::<Vec<_>>()
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn backup(&self, _: &Path, _: &mut (dyn FnMut(u64, u64) + Send)) -> Result<(), StoreError> {
        Err(StoreError::Engine("each shard is backed up on its own".to_owned()))
    }
}

struct NoSweep;

#[async_trait]
impl Sweep for NoSweep {
    async fn changed(&mut self) -> Result<Changed, StoreError> {
        Ok(Changed::default())
    }
}
