//! The reads, one file per aggregate, for any engine: each function runs inside one read transaction.

pub(crate) mod accounts;
pub(crate) mod channels;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod jobs;
pub(crate) mod messages;
pub(crate) mod people;
pub(crate) mod threads;

/// Implements [`crate::Store`] for an engine: `$read!(self, function, arguments…)` runs a function of this
/// module in one read transaction of the engine. What engines do differently follows in braces.
macro_rules! implement_store {
    ($engine:ty, $read:ident, { $($own:tt)* }) => {
        #[async_trait::async_trait]
        impl crate::Store for $engine {
            async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
                $read!(self, query::accounts::workspaces)
            }
            async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
                $read!(self, query::accounts::workspace, id)
            }
            async fn placement(&self, id: WorkspaceId) -> Result<Option<crate::Placement>, StoreError> {
                $read!(self, query::accounts::placement, id)
            }
            async fn workspace_by_domain(&self, domain: &str) -> Result<Option<Workspace>, StoreError> {
                let domain = domain.to_owned();
                $read!(self, query::accounts::workspace_by_domain, &domain)
            }

            async fn credential_state(
                &self,
                workspace: WorkspaceId,
                id: CredentialId,
                now: Micros,
            ) -> Result<Authenticated, StoreError> {
                $read!(self, query::accounts::credential_state, workspace, id, now)
            }
            async fn person_by_email(
                &self,
                workspace: WorkspaceId,
                email: &str,
            ) -> Result<Option<(User, Option<String>)>, StoreError> {
                let email = email.to_owned();
                $read!(self, query::accounts::person_by_email, workspace, &email)
            }
            async fn invite(&self, workspace: WorkspaceId, code: SecretHash) -> Result<Option<Invite>, StoreError> {
                $read!(self, query::accounts::invite, workspace, code)
            }

            async fn user(&self, workspace: WorkspaceId, id: UserId) -> Result<Option<User>, StoreError> {
                $read!(self, rows::load_user, workspace, id)
            }
            async fn users(
                &self,
                workspace: WorkspaceId,
                after: Option<UserId>,
                limit: u32,
            ) -> Result<Vec<User>, StoreError> {
                $read!(self, query::accounts::users, workspace, after, limit)
            }

            async fn channel(
                &self,
                workspace: WorkspaceId,
                id: ChannelId,
                viewer: Option<UserId>,
            ) -> Result<Option<(Channel, Option<Membership>)>, StoreError> {
                $read!(self, query::channels::channel, workspace, id, viewer)
            }
            async fn channels(
                &self,
                workspace: WorkspaceId,
                query: ChannelsQuery,
            ) -> Result<Vec<(Channel, Option<Membership>)>, StoreError> {
                $read!(self, query::channels::channels, workspace, &query)
            }
            async fn members(
                &self,
                workspace: WorkspaceId,
                channel: ChannelId,
                after: Option<UserId>,
                limit: u32,
            ) -> Result<Vec<UserId>, StoreError> {
                $read!(self, query::channels::members, workspace, channel, after, limit)
            }

            async fn message(
                &self,
                workspace: WorkspaceId,
                channel: ChannelId,
                ts: Ts,
            ) -> Result<Option<Message>, StoreError> {
                $read!(self, query::messages::message, workspace, channel, ts)
            }
            async fn message_at(
                &self,
                workspace: WorkspaceId,
                channel: ChannelId,
                ts: Ts,
            ) -> Result<Option<(Message, Position)>, StoreError> {
                $read!(self, query::messages::message_at, workspace, channel, ts)
            }
            async fn history(
                &self,
                workspace: WorkspaceId,
                channel: ChannelId,
                range: Range,
            ) -> Result<MessagePage, StoreError> {
                $read!(self, query::messages::history, workspace, channel, range)
            }
            async fn replies(
                &self,
                workspace: WorkspaceId,
                channel: ChannelId,
                parent: Ts,
                range: Range,
            ) -> Result<Option<ThreadPage>, StoreError> {
                $read!(self, query::messages::replies, workspace, channel, parent, range)
            }

            async fn boot(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<BootSnapshot>, StoreError> {
                $read!(self, query::channels::boot, workspace, user)
            }
            async fn session(
                &self,
                workspace: WorkspaceId,
                user: UserId,
                credential: CredentialId,
                now: Micros,
            ) -> Result<crate::SessionStart, StoreError> {
                $read!(self, query::channels::session, workspace, user, credential, now)
            }
            async fn heads(&self, topics: &[Topic]) -> Result<Vec<model::HeadRead>, StoreError> {
                let topics = topics.to_vec();
                $read!(self, query::events::heads, &topics)
            }
            async fn events(&self, topic: Topic, after: Position, limit: u32) -> Result<EventsRead, StoreError> {
                $read!(self, query::events::events, topic, after, limit)
            }
            async fn position_of(
                &self,
                workspace: WorkspaceId,
                channel: ChannelId,
                ts: Ts,
            ) -> Result<Option<Position>, StoreError> {
                $read!(self, query::messages::position_of, workspace, channel, ts)
            }

            async fn bot(&self, workspace: WorkspaceId, bot: model::BotId) -> Result<Option<User>, StoreError> {
                $read!(self, query::people::bot, workspace, bot)
            }
            async fn preferences(
                &self,
                workspace: WorkspaceId,
                user: UserId,
            ) -> Result<Vec<(String, String)>, StoreError> {
                $read!(self, query::people::preferences, workspace, user)
            }
            async fn team_preferences(
                &self,
                workspace: WorkspaceId,
            ) -> Result<(model::TeamPreferences, Vec<ChannelId>), StoreError> {
                $read!(self, query::people::team, workspace)
            }
            async fn pinned(&self, workspace: WorkspaceId, channel: ChannelId) -> Result<Vec<Message>, StoreError> {
                $read!(self, query::messages::pinned, workspace, channel)
            }
            async fn reacted(
                &self,
                workspace: WorkspaceId,
                user: UserId,
                viewer: UserId,
                skip: u32,
                limit: u32,
            ) -> Result<crate::Reacted, StoreError> {
                $read!(self, query::messages::reacted, workspace, user, viewer, skip, limit)
            }
            async fn mentioning(
                &self,
                workspace: WorkspaceId,
                user: UserId,
                after: Option<(Ts, ChannelId)>,
                limit: u32,
            ) -> Result<Vec<Message>, StoreError> {
                $read!(self, query::messages::mentioning, workspace, user, after, limit)
            }
            async fn thread_counts(
                &self,
                workspace: WorkspaceId,
                user: UserId,
            ) -> Result<crate::ThreadCounts, StoreError> {
                $read!(self, query::threads::counts, workspace, user)
            }
            async fn subscription(
                &self,
                workspace: WorkspaceId,
                user: UserId,
                channel: ChannelId,
                thread: Ts,
            ) -> Result<Option<model::Subscription>, StoreError> {
                $read!(self, query::threads::subscription, workspace, user, channel, thread)
            }
            async fn followed(
                &self,
                workspace: WorkspaceId,
                user: UserId,
                before: Ts,
                limit: u32,
            ) -> Result<Vec<(model::Subscription, Ts)>, StoreError> {
                $read!(self, query::threads::followed, workspace, user, before, limit)
            }
            async fn scheduled(
                &self,
                workspace: WorkspaceId,
                user: UserId,
                query: crate::ScheduledQuery,
            ) -> Result<Vec<crate::Scheduled>, StoreError> {
                $read!(self, query::jobs::scheduled, workspace, user, &query)
            }
            async fn upload(
                &self,
                workspace: WorkspaceId,
                file: model::FileId,
                secret: SecretHash,
                now: Micros,
            ) -> Result<Option<crate::Upload>, StoreError> {
                $read!(self, query::files::upload, workspace, file, secret, now)
            }
            async fn file(
                &self,
                workspace: WorkspaceId,
                file: model::FileId,
                viewer: Option<UserId>,
            ) -> Result<Option<crate::FileRead>, StoreError> {
                $read!(self, query::files::one, workspace, file, viewer)
            }
            async fn files(
                &self,
                workspace: WorkspaceId,
                viewer: UserId,
                query: crate::FilesQuery,
            ) -> Result<crate::FilesPage, StoreError> {
                $read!(self, query::files::list, workspace, viewer, &query)
            }
            async fn due_jobs(&self, now: Micros, limit: u32) -> Result<Vec<crate::Job>, StoreError> {
                $read!(self, query::jobs::due, now, limit)
            }
            async fn dead_jobs(&self, limit: u32) -> Result<Vec<crate::Job>, StoreError> {
                $read!(self, query::jobs::dead, limit)
            }

            $($own)*
        }
    };
}
pub(crate) use implement_store;
