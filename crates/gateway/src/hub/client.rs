//! What clients send.

use model::{Topic, TopicId};
use rpc::{Protocol, RtmError, RtmSent, Signal, SignalKind};
use wire::{
    presence,
    realtime::{self, ClientFrame, CloseCode},
};

use super::{Ask, Hub};
use crate::{
    arena::Index,
    codec::{Message, close},
    outbox::{Kind, Sink},
    rtm::{self, RtmFrame},
    session::{SENDS_MAX, SessionKey},
};

impl<S: Sink> Hub<S> {
    /// Takes a message of a client. Returns `false` when the session is over.
    pub fn receive(&mut self, key: SessionKey, message: Message) -> bool {
        if self.session(key).is_none() {
            return false;
        }
        let index = key.index;
        if let Some(session) = self.sessions.get_mut(index) {
            session.heard_ms = self.now_ms;
        }
        match message {
            Message::Text(text) => self.receive_text(key, &text),
            Message::Binary(_) => self.close_with(index, close::UNSUPPORTED, "text frames only"),
            Message::Ping(payload) => {
                let pong = crate::codec::frame(crate::codec::Opcode::Pong, &payload);
                self.write(index, &pong, Kind::Keep);
            }
            Message::Pong => {}
            Message::Close(code) => self.close_with(index, code, ""),
        }
        self.settle();
        self.session(key).is_some()
    }

    /// Ends a session whose bytes were not WebSocket frames.
    pub fn refuse(&mut self, key: SessionKey, code: u16, reason: &str) {
        if self.session(key).is_some() {
            self.close_with(key.index, code, reason);
        }
        self.settle();
    }

    fn receive_text(&mut self, key: SessionKey, text: &str) {
        match self.session(key).map(|session| session.protocol) {
            Some(Protocol::Own) => self.receive_own(key, text),
            Some(Protocol::Rtm) => self.receive_rtm(key, text),
            None => {}
        }
    }

    fn receive_own(&mut self, key: SessionKey, text: &str) {
        let index = key.index;
        let Ok(frame) = ClientFrame::parse(text) else {
            self.close(index, CloseCode::Protocol);
            return;
        };
        let resumed = self.sessions.get(index).is_some_and(|session| session.boot.is_none());
        match frame {
            ClientFrame::Resume(claims) if !resumed => self.resume(index, &claims),
            ClientFrame::Pull { topic, after } if resumed => match self.followed(index, &topic) {
                Some(at) => self.pull(index, at, after),
                None => self.say(index, &realtime::gone(&topic)),
            },
            ClientFrame::Ping { id } => self.say(index, &realtime::pong(id.as_deref())),
            ClientFrame::Typing { channel, thread_ts } if resumed => self.typing(index, &channel, thread_ts),
            ClientFrame::Tickle => self.note_activity(index),
            ClientFrame::PresenceSub { users, id } if resumed => {
                self.presence_sub(index, users, id.as_deref());
            }
            ClientFrame::PresenceQuery { users, id } if resumed => {
                self.presence_query(key, users, id.as_deref());
            }
            ClientFrame::TooManyIds { id } => {
                self.say(index, &realtime::error(id.as_deref(), "too_many_ids", presence::TOO_MANY_IDS));
            }
            ClientFrame::Resume(_)
            | ClientFrame::Pull { .. }
            | ClientFrame::Typing { .. }
            | ClientFrame::PresenceSub { .. }
            | ClientFrame::PresenceQuery { .. }
            | ClientFrame::Unknown => {}
        }
    }

    fn receive_rtm(&mut self, key: SessionKey, text: &str) {
        let index = key.index;
        match RtmFrame::parse(text) {
            Err(_) => self.close(index, CloseCode::Protocol),
            Ok(RtmFrame::Reply(reply)) => self.say(index, &reply),
            Ok(RtmFrame::Typing { channel, thread_ts }) => self.typing(index, &channel, thread_ts),
            Ok(RtmFrame::Ignored) => {}
            Ok(RtmFrame::Tickle) => self.note_activity(index),
            Ok(RtmFrame::PresenceSub { users, id }) => self.presence_sub(index, users, id.as_deref()),
            Ok(RtmFrame::PresenceQuery { users, id }) => self.presence_query(key, users, id.as_deref()),
            Ok(RtmFrame::Message(message)) => {
                self.note_activity(index);
                let Some(session) = self.sessions.get_mut(index) else { return };
                let reply_to = message.reply_to.clone();
                let send = message.send(session.id, session.actor.as_ref().clone());
                let sends = &mut session.extra().sends;
                if sends.len() >= SENDS_MAX {
                    self.say(index, &rtm::error(&reply_to, rtm::TOO_FAST, "too many messages at once"));
                    return;
                }
                // One at a time: messages of one socket keep their order.
                sends.push_back((send.clone(), reply_to));
                if sends.len() == 1 {
                    self.asks.push(Ask::Send { key, send });
                }
            }
        }
    }

    /// The answer to [`Ask::Send`].
    pub fn sent(&mut self, key: SessionKey, result: Result<RtmSent, RtmError>) {
        if self.session(key).is_some()
            && let Some(session) = self.sessions.get_mut(key.index)
            && let Some((_, reply_to)) = session.extra().sends.pop_front()
        {
            if let Some((send, _)) = session.extra().sends.front() {
                self.asks.push(Ask::Send { key, send: send.clone() });
            }
            let reply = match result {
                Ok(sent) => rtm::acknowledgement(&reply_to, &sent),
                Err(error) => rtm::error(&reply_to, error.code, &error.message),
            };
            self.say(key.index, &reply);
        }
        self.settle();
    }

    /// The topic of a text, if the session follows it.
    fn followed(&self, index: Index, text: &str) -> Option<Index> {
        let session = self.sessions.get(index)?;
        let topic = Topic { workspace: session.actor.workspace, id: text.parse().ok()? };
        let at = self.find(topic)?;
        session.slot(at).map(|_| at)
    }

    fn typing(&mut self, index: Index, channel: &str, thread_ts: Option<String>) {
        self.note_activity(index);
        let Some(at) = self.followed(index, channel) else { return };
        let Some(topic) = self.topics.get(at).map(|view| view.topic()) else { return };
        let TopicId::Channel(_) = topic.id else { return };
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(index) else { return };
        if !session.may_type(at, now_ms) {
            return;
        }
        let thread = thread_ts.and_then(|ts| ts.parse().ok());
        let body = realtime::user_typing(topic.id, session.actor.user, thread);
        self.asks.push(Ask::Signal(Signal {
            topic,
            kind: SignalKind::Typing,
            except: Some(session.actor.user),
            body: body.into(),
        }));
    }
}
