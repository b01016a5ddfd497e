//! Joins and leaves. A removal takes effect at its place in the channel: the session gets its own removal
//! and nothing after it. Of a join and a leave the higher channel position holds, whatever comes first.

use model::{ChannelId, Position, Seq, Topic, TopicId, UserId};
use rpc::{Effect, EventRecord, ManualAway, Person, Protocol};

use super::{Hub, of_first};
use crate::{
    arena::Index,
    frame::Answers,
    outbox::{Kind, Sink},
    session::{Change, Session, Style},
    topic::Mode,
};

impl<S: Sink> Hub<S> {
    /// An event with an effect was written to all live followers of its topic.
    pub(super) fn take_effect(&mut self, at: Index, event: &EventRecord) {
        let (workspace, seq) = (event.topic.workspace, event.seq());
        match (event.topic.id, &event.effect) {
            (TopicId::Channel(channel), Effect::MemberJoined(user)) => {
                for index in self.sessions_of(workspace, *user) {
                    self.joined(index, channel, event.position);
                }
            }
            (TopicId::Channel(_), Effect::MemberLeft(user)) => {
                for index in self.sessions_of(workspace, *user) {
                    // One that is further booted after the removal, and is in again.
                    let passed = self
                        .follower_mut(index, at)
                        .is_some_and(|follower| follower.mode() == Mode::Live && follower.sent() == seq);
                    if passed {
                        self.passed_removal(index, at, seq);
                    }
                }
            }
            (TopicId::User(user), Effect::ManualPresence { away }) => {
                self.presence.said(Person { workspace, user }, ManualAway { seq, away: *away });
            }
            (TopicId::User(user), Effect::Joined { .. } | Effect::Left { .. }) => {
                for index in self.sessions_of(workspace, user) {
                    self.own_change(index, event);
                }
            }
            _ => {}
        }
    }

    fn sessions_of(&self, workspace: model::WorkspaceId, user: UserId) -> Vec<Index> {
        let of_user = self.users.get(&(workspace, user), of_first(&self.sessions, Session::owner));
        of_user.map(|few| few.to_vec()).unwrap_or_default()
    }

    /// An event of the session's own topic changes what it follows.
    pub(super) fn own_change(&mut self, index: Index, event: &EventRecord) {
        let Some(session) = self.sessions.get(index) else { return };
        if event.seq() <= session.booted {
            // The boot knew it already.
            return;
        }
        match event.effect {
            Effect::Joined { channel, at } => self.joined(index, channel, at),
            Effect::Left { channel, at } => self.left(index, channel, at.seq),
            Effect::ManualPresence { away } => {
                let (workspace, user) = session.owner();
                let manual = ManualAway { seq: event.seq(), away };
                self.presence.said(Person { workspace, user }, manual);
            }
            Effect::None | Effect::MemberJoined(_) | Effect::MemberLeft(_) => {}
        }
    }

    /// The session follows the channel from `position` on, unless something newer is known.
    fn joined(&mut self, index: Index, channel: ChannelId, position: Position) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        if session.note_change(Change { channel, seq: position.seq, joined: true }) {
            self.start_following(index, channel, position);
        }
    }

    /// Follows a channel from the join on. One that is followed already goes on: it will pass the leave
    /// before the join, if there is one.
    fn start_following(&mut self, index: Index, channel: ChannelId, join: Position) {
        let Some(session) = self.sessions.get(index) else { return };
        let id = TopicId::Channel(channel);
        let topic = Topic { workspace: session.actor.workspace, id };
        let follows = self.find(topic).is_some_and(|at| session.slot(at).is_some());
        if follows {
            return;
        }
        let before = Position { seq: join.seq.previous(), ..join };
        if session.protocol == Protocol::Own {
            self.say(index, &wire::realtime::live(id, before));
        }
        self.follow(index, id, before, before.seq, Style::Events);
    }

    /// The session left the channel at `seq`, says its own topic. What it still misses before that comes.
    fn left(&mut self, index: Index, channel: ChannelId, seq: Seq) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        let topic = Topic { workspace: session.actor.workspace, id: TopicId::Channel(channel) };
        if !session.note_change(Change { channel, seq, joined: false }) {
            return;
        }
        let Some(at) = self.find(topic) else { return };
        if self.follower_mut(index, at).is_some_and(|follower| follower.sent() >= seq) {
            self.end_topic(index, at);
        }
    }

    /// The session has got its own removal from the channel, at `seq`.
    pub(super) fn passed_removal(&mut self, index: Index, at: Index, seq: Seq) {
        let Some(view) = self.topics.get(at) else { return };
        let (TopicId::Channel(channel), generation) = (view.topic().id, view.generation()) else { return };
        let Some(session) = self.sessions.get_mut(index) else { return };
        session.note_change(Change { channel, seq, joined: false });
        let rejoined = session.change(channel).filter(|change| change.joined && change.seq > seq);
        self.end_topic(index, at);
        if let Some(change) = rejoined {
            self.start_following(index, channel, Position { generation, seq: change.seq });
        }
    }

    /// Ends the following and tells the client.
    pub(super) fn end_topic(&mut self, index: Index, at: Index) {
        let Some(topic) = self.topics.get(at).map(|view| view.topic()) else { return };
        self.unfollow(index, at);
        if self.sessions.get(index).is_some_and(|session| session.protocol == Protocol::Own) {
            let mut answers = Answers::default();
            answers.gone(topic);
            self.write(index, &answers.finish(), Kind::Keep);
        }
    }
}
