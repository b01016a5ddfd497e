//! Values and helpers that the tests share.

use bytes::Bytes;
use channel::topic::{Deliver, GatewayKey};
use model::{ChannelId, Generation, Position, Seq, Topic, TopicId, TraceId, WorkspaceId, WriteTimes};
use rpc::{Audience, Delivery, Effect, EventRecord};

/// The topic of a number.
pub(crate) fn topic(number: u64) -> Topic {
    let workspace = WorkspaceId::from_raw(1);
    Topic { workspace, id: TopicId::Channel(ChannelId::from_raw(number)) }
}

/// A position.
pub(crate) fn at(generation: u32, seq: u64) -> Position {
    Position { generation: Generation(generation), seq: Seq::new(seq) }
}

/// An event whose body is `body`.
pub(crate) fn event(topic: Topic, position: Position, body: &str) -> EventRecord {
    EventRecord {
        topic,
        position,
        audience: Audience::ALL,
        effect: Effect::None,
        origin: None,
        trace: TraceId::default(),
        times: WriteTimes::default(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        extra: Bytes::new(),
    }
}

/// Collects deliveries.
#[derive(Debug, Default)]
pub(crate) struct Sent(pub(crate) Vec<(GatewayKey, Delivery)>);

impl Deliver for Sent {
    fn deliver(&mut self, gateway: GatewayKey, delivery: Delivery) {
        self.0.push((gateway, delivery));
    }
}

impl Sent {
    /// What was sent since the last call, in short: `1:e5` event 5 to gateway 1, `2:h7` head 7 to gateway 2,
    /// `1:s` a signal. Generations other than the first stand behind a dot: `1:e5.2`.
    pub(crate) fn take(&mut self) -> String {
        let place = |position: Position| match position.generation.0 {
            1 => position.seq.to_string(),
            other => format!("{}.{other}", position.seq),
        };
        let short = |(gateway, delivery): (GatewayKey, Delivery)| match delivery {
            Delivery::Event(event) => format!("{gateway}:e{}", place(event.position)),
            Delivery::Head(head) => format!("{gateway}:h{}", place(head.position)),
            Delivery::Signal(_) => format!("{gateway}:s"),
        };
        self.0.drain(..).map(short).collect::<Vec<_>>().join(" ")
    }
}
