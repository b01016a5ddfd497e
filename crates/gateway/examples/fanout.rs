//! The real gateway with faked ports, for load generators: every socket follows one channel, and what
//! comes as a message on a socket opened at `/pub` is an event of it.
//!
//! `cargo run --release -p gateway --example fanout -- 127.0.0.1:9002 [rtm|own] [LOOPS]`. Sockets speak RTM by default: then
//! an event goes out byte for byte as it came in. The address is printed, so it may be `127.0.0.1:0`:
//! `parlance bench fanout --gateway PROGRAM` starts this program so.

use std::{
    env,
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cluster::{Ring, Slot};
use gateway::{
    Config, Deps,
    codec::{Decoder, Message},
};
use model::{
    ChannelId, CredentialId, Epoch, Generation, Head, NodeId, Position, Seq, SessionId, SlotName, Topic,
    TopicId, TraceId, UserId, WorkspaceId, WriteTimes,
};
use rpc::{
    Actor, AdoptedSocket, Audience, Boot, BootError, Call, CallError, ChannelJourney, ChannelServer,
    Delivery, Directory, Effect, EventRecord, EventsPage, EventsRequest, Gateway, Local, Person, Presence,
    PresenceNow, PresenceReport, Protocol, Reply, RtmError, RtmSend, RtmSent, Signal, Subscription, Watch,
    Web,
};
use runtime::{Clock, Tasks, telemetry::Metrics};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Largest published message, bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// A load generator has no accept key to check.
const HANDSHAKE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";

/// One channel, and how many events it has.
#[derive(Default)]
struct World {
    events: AtomicU64,
    sessions: AtomicU64,
    own: bool,
}

fn topic() -> Topic {
    Topic { workspace: WorkspaceId::from_random(1), id: TopicId::Channel(ChannelId::from_random(1)) }
}

fn at(seq: u64) -> Position {
    Position { generation: Generation::FIRST, seq: Seq::new(seq) }
}

impl World {
    fn protocol(&self) -> Protocol {
        if self.own { Protocol::Own } else { Protocol::Rtm }
    }
}

/// Takes every report: the example measures the fan-out of events.
struct Nobody;

#[async_trait]
impl Presence for Nobody {
    async fn report(
        &self,
        _: &Call,
        _: NodeId,
        reports: Vec<PresenceReport>,
    ) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; reports.len()])
    }
    async fn watch(&self, _: &Call, _: NodeId, watches: Vec<Watch>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; watches.len()])
    }
    async fn unwatch(&self, _: &Call, _: NodeId, people: Vec<Person>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; people.len()])
    }
    async fn query(
        &self,
        _: &Call,
        people: Vec<Person>,
    ) -> Result<Vec<Result<PresenceNow, Reply>>, CallError> {
        Ok(vec![Ok(PresenceNow::default()); people.len()])
    }
    async fn touch(&self, _: &Call, people: Vec<Person>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; people.len()])
    }
}

#[async_trait]
impl Web for World {
    async fn boot(&self, _: &Call, _: String, _: Option<String>) -> Result<Boot, BootError> {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        let user = UserId::from_random(number);
        Ok(Boot {
            session: SessionId(u128::from(number)),
            protocol: self.protocol(),
            actor: Actor {
                workspace: topic().workspace,
                user,
                bot: None,
                app: None,
                credential: CredentialId(u128::from(number).to_le_bytes()),
            },
            class: Audience::MEMBER,
            topics: vec![
                (topic().id, at(self.events.load(Ordering::Acquire))),
                (TopicId::User(user), Position::START),
                (TopicId::Workspace(topic().workspace), Position::START),
            ],
            manual: rpc::ManualAway::default(),
            batch_presence: self.own,
        })
    }
    async fn heads(&self, _: &Call, topics: Vec<Topic>) -> Result<Vec<model::HeadRead>, CallError> {
        Ok(vec![model::HeadRead::Absent; topics.len()])
    }
    async fn events(&self, _: &Call, request: EventsRequest) -> Result<EventsPage, CallError> {
        // Nothing is kept here: whoever missed something goes on from now.
        let head = at(self.events.load(Ordering::Acquire));
        Ok(if request.after == head {
            EventsPage::Events { events: vec![], head }
        } else {
            EventsPage::Reset { head }
        })
    }
    async fn send(&self, _: &Call, _: RtmSend) -> Result<RtmSent, RtmError> {
        Err(RtmError { code: -1, message: "publish at /pub".to_owned() })
    }
}

#[async_trait]
impl ChannelServer for World {
    async fn publish(&self, _: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; events.len()])
    }
    async fn announce(&self, _: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; heads.len()])
    }
    async fn signal(&self, _: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; signals.len()])
    }
    async fn subscribe(
        &self,
        _: &Call,
        _: NodeId,
        wishes: Vec<Subscription>,
    ) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; wishes.len()])
    }
    async fn unsubscribe(&self, _: &Call, _: NodeId, topics: Vec<Topic>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; topics.len()])
    }
    async fn journey(&self, _: &Call, _: Topic, _: Seq) -> Result<Option<ChannelJourney>, CallError> {
        Ok(None)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9002".to_owned());
    let own = arguments.next().is_some_and(|protocol| protocol == "own");
    let loops = arguments.next().map_or(Ok(1), |loops| loops.parse())?;
    let world = Arc::new(World { own, ..World::default() });
    let node = NodeId { name: "channel".to_owned(), incarnation: 1 };
    let slot = Slot { name: SlotName("slot".to_owned()), node: node.clone() };
    let (_ring, watch) = watch::channel(Arc::new(Ring::new(Epoch(1), vec![slot.clone()])?));
    let (_presence_ring, presence_watch) = watch::channel(Arc::new(Ring::new(Epoch(1), vec![slot.clone()])?));
    let channels: Arc<Directory<dyn ChannelServer>> = Arc::new(Directory::default());
    channels.insert(node.clone(), Arc::clone(&world) as Arc<dyn ChannelServer>);
    let deps = Deps {
        web: Arc::clone(&world) as Arc<dyn Web>,
        channels,
        ring: watch,
        presence: Arc::new(Nobody),
        presence_ring: presence_watch,
        clock: Clock::system(),
        metrics: Metrics::default(),
        tasks: Tasks::new(),
    };
    let config = Config { loops, ..Config::default() };
    let gateway = gateway::start(&config, &deps)?;
    let ports: Vec<Arc<dyn Gateway>> = gateway
        .ports()
        .iter()
        .map(|port| Local::new("gateway", Arc::clone(&port.port), port.runtime.clone()) as Arc<dyn Gateway>)
        .collect();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.parse::<std::net::SocketAddr>()?.into())?;
    socket.listen(4_096)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket.into())?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut request = [0; 2_048];
        let count = stream.read(&mut request).await?;
        stream.write_all(HANDSHAKE).await?;
        if request.get(..count).is_some_and(|request| request.starts_with(b"GET /pub")) {
            let publisher = Publisher { world: Arc::clone(&world), ports: ports.clone(), slot: slot.clone() };
            tokio::spawn(async move {
                // Ends with its socket.
                let _ = publisher.run(stream).await;
            });
        } else {
            gateway.adopt().adopt(AdoptedSocket {
                stream: stream.into_std()?.into(),
                early: if own { resume() } else { bytes::Bytes::new() },
                protocol: world.protocol(),
                ticket: String::new(),
                origin: None,
            });
        }
    }
}

/// A client's frame `{"type":"resume"}`, masked with zeros: load generators speak no protocol of ours.
fn resume() -> bytes::Bytes {
    bytes::Bytes::from_static(b"\x81\x91\0\0\0\0{\"type\":\"resume\"}")
}

struct Publisher {
    world: Arc<World>,
    ports: Vec<Arc<dyn Gateway>>,
    slot: Slot,
}

impl Publisher {
    /// Delivers everything that one read brought with one call.
    async fn run(self, mut socket: TcpStream) -> io::Result<()> {
        let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = socket.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            let mut rest = buffer.get(..count).unwrap_or_default();
            let mut events = Vec::new();
            while let Some((message, left)) = decoder.next(rest).map_err(io::Error::other)? {
                rest = left;
                if let Message::Text(text) = message {
                    events.push(self.event(text));
                }
            }
            self.deliver(events).await;
        }
    }

    fn event(&self, text: String) -> Delivery {
        let seq = self.world.events.fetch_add(1, Ordering::AcqRel) + 1;
        let body = if self.world.own { format!("{{\"text\":\"{text}\"}}") } else { text };
        Delivery::Event(EventRecord {
            topic: topic(),
            position: at(seq),
            audience: Audience::ALL,
            effect: Effect::None,
            origin: None,
            trace: TraceId::default(),
            times: WriteTimes::default(),
            body: body.into(),
            extra: bytes::Bytes::new(),
        })
    }

    async fn deliver(&self, events: Vec<Delivery>) {
        let call = Call {
            caller: self.slot.node.clone(),
            epoch: Epoch(1),
            trace: TraceId::default(),
            timeout: Duration::from_secs(10),
        };
        for port in &self.ports {
            // The generator waits for its frames, so a gateway is never overloaded here.
            if let Err(error) = port.deliver(&call, self.slot.name.clone(), events.clone()).await {
                tracing::warn!(%error, "not delivered");
            }
        }
    }
}
