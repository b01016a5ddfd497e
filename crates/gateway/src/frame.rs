//! Events as frames: encoded once per (protocol, session class), shared by every socket.

use bytes::{Bytes, BytesMut};
use model::{Position, Seq, SessionId, Topic, TopicId};
use rpc::{EventRecord, Protocol};
use smallvec::SmallVec;
use wire::realtime;

use crate::codec::{self, Opcode};

/// Events that go out in one system call per socket. More wait for the next round.
pub const BATCH_EVENTS_MAX: usize = 32;
/// Bytes of events in one batch; a larger event goes alone. What a socket took a part of is never dropped,
/// so this also bounds what degrading a slow session cannot free.
pub const BATCH_BYTES_MAX: usize = 64 << 10;

/// A text frame.
#[must_use]
pub fn text(payload: &str) -> Bytes {
    codec::frame(Opcode::Text, payload.as_bytes())
}

/// Appends a text frame.
pub fn put_text(out: &mut BytesMut, payload: &str) {
    codec::put_header(out, Opcode::Text, payload.len());
    out.extend_from_slice(payload.as_bytes());
}

/// Bytes that an event takes, about.
#[must_use]
pub fn weight(event: &EventRecord) -> usize {
    event.body.len() + event.extra.len() + 64
}

/// The event as our own protocol shows it to sessions of `class`: with its `_p`, or as a `_skip`.
#[must_use]
pub fn own_event(event: &EventRecord, class: u8) -> String {
    shown(event, class).unwrap_or_else(|| realtime::skip(event.topic.id, event.position))
}

/// The event with its `_p`. `None`: it has nothing for this class, or its body is not an object.
#[must_use]
pub fn shown(event: &EventRecord, class: u8) -> Option<String> {
    if !event.audience.has(class) {
        return None;
    }
    let body = std::str::from_utf8(&event.body).ok()?;
    let open = body.trim_end().strip_suffix('}')?;
    let extra = std::str::from_utf8(&event.extra).unwrap_or_default();
    let mut text = String::with_capacity(open.len() + extra.len() + 64);
    text.push_str(open);
    text.push_str(if open.trim_end().ends_with('{') { r#""_p":{"# } else { r#","_p":{"# });
    realtime::write_position(&mut text, event.topic.id, event.position);
    text.push_str(extra);
    text.push_str("}}");
    Some(text)
}

/// Consecutive events of one topic on their way to its sockets.
#[derive(Debug)]
pub struct Batch {
    events: Vec<EventRecord>,
    first: Seq,
    last: Seq,
    has_origin: bool,
    variants: SmallVec<[Variant; 2]>,
}

/// The batch as one protocol and class sees it.
#[derive(Debug)]
struct Variant {
    protocol: Protocol,
    class: u8,
    /// All frames, one after the other.
    bytes: Bytes,
    /// Where each event's frame ends; an event that has no frame ends where it starts.
    ends: SmallVec<[usize; 4]>,
}

impl Batch {
    /// Makes a batch of events without a hole. `None`: there are none.
    #[must_use]
    pub fn new(events: Vec<EventRecord>) -> Option<Self> {
        let (first, last) = (events.first()?.seq(), events.last()?.seq());
        let has_origin = events.iter().any(|event| event.origin.is_some());
        Some(Self { events, first, last, has_origin, variants: SmallVec::new() })
    }

    /// Its events.
    #[must_use]
    pub fn events(&self) -> &[EventRecord] {
        &self.events
    }

    /// Seq of the first event.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.first
    }

    /// Seq of the last event.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.last
    }

    /// The frames of the events after `sent`, for a session. The bytes are shared; `.1` is where they start.
    pub fn after(&mut self, sent: Seq, protocol: Protocol, class: u8) -> (&Bytes, usize) {
        let at = match self.variants.iter().position(|v| v.protocol == protocol && v.class == class) {
            Some(at) => at,
            None => {
                self.variants.push(Variant::encode(&self.events, protocol, class));
                self.variants.len() - 1
            }
        };
        static NOTHING: Bytes = Bytes::new();
        match self.variants.get(at) {
            Some(variant) => (&variant.bytes, variant.start(self.first, sent)),
            None => (&NOTHING, 0),
        }
    }

    /// Whether a session sent one of the events itself over RTM.
    #[must_use]
    pub fn is_from(&self, session: SessionId) -> bool {
        self.has_origin && self.events.iter().any(|event| event.origin == Some(session))
    }

    /// The frames after `sent` without those that `session` sent itself.
    #[must_use]
    pub fn after_without_own(&self, sent: Seq, class: u8, session: SessionId) -> Bytes {
        let mut out = BytesMut::new();
        for event in self.events.iter().filter(|event| event.seq() > sent) {
            if event.origin != Some(session) {
                put_event(&mut out, event, Protocol::Rtm, class);
            } else if event.audience.has(class) {
                put_further(&mut out, event);
            }
        }
        out.freeze()
    }
}

impl Variant {
    fn encode(events: &[EventRecord], protocol: Protocol, class: u8) -> Self {
        let mut bytes = BytesMut::with_capacity(events.iter().map(weight).sum());
        let ends = events
            .iter()
            .map(|event| {
                put_event(&mut bytes, event, protocol, class);
                bytes.len()
            })
            .collect();
        Self { protocol, class, bytes: bytes.freeze(), ends }
    }

    /// Where the first frame after `sent` starts.
    fn start(&self, first: Seq, sent: Seq) -> usize {
        let skipped = (sent.raw() + 1).saturating_sub(first.raw());
        match usize::try_from(skipped) {
            Ok(0) => 0,
            Ok(skipped) => self.ends.get(skipped - 1).copied().unwrap_or(self.bytes.len()),
            Err(_) => self.bytes.len(),
        }
    }
}

fn put_event(out: &mut BytesMut, event: &EventRecord, protocol: Protocol, class: u8) {
    match protocol {
        Protocol::Own => put_text(out, &own_event(event, class)),
        Protocol::Rtm if event.body.is_empty() || !event.audience.has(class) => {}
        Protocol::Rtm => {
            codec::put_header(out, Opcode::Text, event.body.len());
            out.extend_from_slice(&event.body);
            put_further(out, event);
        }
    }
}

/// Some events are several over RTM: a reply is itself, and what it did to its thread.
fn put_further(out: &mut BytesMut, event: &EventRecord) {
    let part = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    for further in wire::further::further(part(&event.body), part(&event.extra)) {
        put_text(out, &further);
    }
}

/// Answers that are collected and written together.
#[derive(Debug, Default)]
pub struct Answers(BytesMut);

impl Answers {
    /// Adds a frame.
    pub fn push(&mut self, payload: &str) {
        put_text(&mut self.0, payload);
    }

    /// Adds `_live`.
    pub fn live(&mut self, topic: TopicId, at: Position) {
        self.push(&realtime::live(topic, at));
    }

    /// Adds `_gone`.
    pub fn gone(&mut self, topic: Topic) {
        self.push(&realtime::gone(&topic.id.to_string()));
    }

    /// All frames.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.0.freeze()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use model::{ChannelId, Generation, TraceId, WorkspaceId, WriteTimes};
    use rpc::{Audience, Effect};

    use super::*;

    pub(crate) fn event(seq: u64, body: &str) -> EventRecord {
        EventRecord {
            topic: Topic {
                workspace: WorkspaceId::from_random(1),
                id: TopicId::Channel(ChannelId::from_random(2)),
            },
            position: Position { generation: Generation::FIRST, seq: Seq::new(seq) },
            audience: Audience::ALL,
            effect: Effect::None,
            origin: None,
            trace: TraceId::default(),
            times: WriteTimes::default(),
            body: Bytes::from(body.to_owned()),
            extra: Bytes::new(),
        }
    }

    #[test]
    fn own_events_carry_their_position() {
        let mut record = event(9, r#"{"type":"x"}"#);
        assert_eq!(own_event(&record, 1), r#"{"type":"x","_p":{"t":"C000000000002","g":1,"s":9}}"#);
        record.extra = Bytes::from_static(br#","parent":{}"#);
        assert_eq!(
            own_event(&record, 1),
            r#"{"type":"x","_p":{"t":"C000000000002","g":1,"s":9,"parent":{}}}"#
        );
        record.body = Bytes::from_static(b"{}");
        assert_eq!(own_event(&record, 1), r#"{"_p":{"t":"C000000000002","g":1,"s":9,"parent":{}}}"#);
        let skip = r#"{"type":"_skip","t":"C000000000002","g":1,"s":9}"#;
        record.body = Bytes::new();
        assert_eq!(own_event(&record, 1), skip);
        record = event(9, r#"{"type":"x"}"#);
        record.audience = Audience(Audience::MEMBER);
        assert_eq!(own_event(&record, Audience::GUEST), skip);
    }

    #[test]
    fn a_reply_brings_message_replied_to_rtm_and_only_there() {
        let mut reply = event(
            5,
            r#"{"type":"message","channel":"C000000000002","team":"T000000000001","ts":"30.0","thread_ts":"20.0","event_ts":"30.0"}"#,
        );
        reply.extra = Bytes::from_static(br#","parent":{"ts":"20.0","reply_count":1}"#);
        reply.origin = Some(SessionId(7));
        let mut batch = Batch::new(vec![reply, event(6, r#"{"type":"x"}"#)]).unwrap();
        let mut seen = |protocol, sent| {
            let (bytes, start) = batch.after(Seq::new(sent), protocol, Audience::MEMBER);
            let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
            (text.matches("message_replied").count(), text.matches(r#""ts":"30.0""#).count())
        };
        assert_eq!(seen(Protocol::Rtm, 4), (1, 2));
        assert_eq!(seen(Protocol::Rtm, 5), (0, 0));
        assert_eq!(seen(Protocol::Own, 4), (0, 1));
        // The socket that sent the reply has its acknowledgement; what became of the thread it does not know.
        let own = batch.after_without_own(Seq::new(4), Audience::MEMBER, SessionId(7));
        let own = String::from_utf8_lossy(&own);
        assert_eq!((own.matches("message_replied").count(), own.matches(r#""ts":"30.0""#).count()), (1, 1));
    }

    #[test]
    fn a_batch_starts_where_a_session_is() {
        let mut events: Vec<_> = (5..8).map(|seq| event(seq, &format!("{{\"n\":{seq}}}"))).collect();
        events[1].audience = Audience(Audience::MEMBER);
        events[2].origin = Some(SessionId(7));
        let mut batch = Batch::new(events).unwrap();
        let mut from = |sent: u64, protocol, class| {
            let (bytes, start) = batch.after(Seq::new(sent), protocol, class);
            let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
            text.matches("\"n\":").count() * 10 + text.matches("_skip").count()
        };
        assert_eq!(from(4, Protocol::Own, Audience::MEMBER), 30);
        assert_eq!(from(5, Protocol::Own, Audience::MEMBER), 20);
        assert_eq!(from(7, Protocol::Own, Audience::MEMBER), 0);
        assert_eq!(from(4, Protocol::Own, Audience::GUEST), 21);
        assert_eq!(from(4, Protocol::Rtm, Audience::GUEST), 20);
        assert_eq!(from(5, Protocol::Rtm, Audience::GUEST), 10);
        assert!(batch.is_from(SessionId(7)) && !batch.is_from(SessionId(8)));
        let without = batch.after_without_own(Seq::new(4), Audience::MEMBER, SessionId(7));
        assert_eq!(String::from_utf8_lossy(&without).matches("\"n\":").count(), 2);
    }
}
