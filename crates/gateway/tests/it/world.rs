//! Everything around a gateway, in memory: the store's side of `web`, Channel Servers, the ring, clients.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use cluster::{ControlConfig, ControlHandle, Ring, Slot, shell::first_document};
use futures_util::{SinkExt as _, StreamExt as _};
use gateway::{Config, Deps, Handle};
use model::{
    ChannelId, CredentialId, Epoch, Generation, Head, HeadRead, NodeId, Position, Seq, SessionId, SlotName,
    Topic, TopicId, TraceId, Ts, UserId, WorkspaceId, WriteTimes,
};
use presence::{metrics::PresenceMetrics, router::Router};
use rpc::{
    Actor, AdoptedSocket, Audience, Boot, BootError, Call, CallError, ChannelJourney, ChannelServer,
    Delivery, Directory, Effect, EventRecord, EventsPage, EventsRequest, Gateway, Local, ManualAway,
    Protocol, Reply, RtmError, RtmSend, RtmSent, Signal, Subscription, Web,
};
use runtime::{Clock, Tasks, telemetry::Metrics};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle as Runtime,
    sync::watch,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

/// Nothing in these tests takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::from_random(1)
}
pub(crate) fn user(number: u64) -> UserId {
    UserId::from_random(100 + number)
}
pub(crate) fn channel(number: u64) -> TopicId {
    TopicId::Channel(ChannelId::from_random(200 + number))
}
pub(crate) fn topic(id: TopicId) -> Topic {
    Topic { workspace: workspace(), id }
}
pub(crate) fn at(seq: u64) -> Position {
    Position { generation: Generation::FIRST, seq: Seq::new(seq) }
}

/// What is committed.
#[derive(Default)]
pub(crate) struct Store {
    logs: BTreeMap<TopicId, Vec<EventRecord>>,
    members: BTreeSet<(UserId, TopicId)>,
    tickets: HashMap<String, (UserId, Protocol)>,
    pub(crate) boot_error: Option<BootError>,
    sent: Vec<RtmSend>,
    /// Who has said that they are away.
    away: BTreeSet<UserId>,
}

impl Store {
    pub(crate) fn head(&self, id: TopicId) -> u64 {
        self.logs.get(&id).map_or(0, |log| log.len() as u64)
    }

    fn append(&mut self, id: TopicId, effect: Effect, origin: Option<SessionId>, body: &str) -> EventRecord {
        let seq = self.head(id) + 1;
        let record = EventRecord {
            topic: topic(id),
            position: at(seq),
            audience: Audience::ALL,
            effect,
            origin,
            trace: TraceId(7),
            times: WriteTimes::default(),
            body: Bytes::from(body.to_owned()),
            extra: Bytes::new(),
        };
        self.logs.entry(id).or_default().push(record.clone());
        record
    }

    fn after(&self, id: TopicId, seq: u64) -> Vec<EventRecord> {
        let from = usize::try_from(seq).unwrap_or(usize::MAX);
        self.logs.get(&id).map(|log| log.iter().skip(from).cloned().collect()).unwrap_or_default()
    }
}

pub(crate) struct FakeWeb {
    pub(crate) store: Mutex<Store>,
    sessions: AtomicU64,
    pub(crate) reads: AtomicU64,
    publish: Mutex<Option<Arc<Servers>>>,
}

#[async_trait]
impl Web for FakeWeb {
    async fn boot(&self, _: &Call, ticket: String, origin: Option<String>) -> Result<Boot, BootError> {
        let mut store = self.store.lock().unwrap();
        if let Some(error) = store.boot_error.clone() {
            return Err(error);
        }
        if origin.as_deref() == Some("http://evil") {
            return Err(BootError::Origin);
        }
        let (user, protocol) = store.tickets.remove(&ticket).ok_or(BootError::Ticket)?;
        let mut topics: Vec<_> =
            store.members.iter().filter(|(member, _)| *member == user).map(|m| m.1).collect();
        topics.push(TopicId::User(user));
        topics.push(TopicId::Workspace(workspace()));
        let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Boot {
            session: SessionId(u128::from(number)),
            protocol,
            actor: Actor {
                workspace: workspace(),
                user,
                bot: None,
                app: None,
                credential: CredentialId(u128::from(user.raw()).to_le_bytes()),
            },
            class: Audience::MEMBER,
            topics: topics.into_iter().map(|id| (id, at(store.head(id)))).collect(),
            manual: ManualAway {
                seq: Seq::new(store.head(TopicId::User(user))),
                away: store.away.contains(&user),
            },
            batch_presence: protocol == Protocol::Own,
        })
    }

    async fn heads(&self, _: &Call, topics: Vec<Topic>) -> Result<Vec<HeadRead>, CallError> {
        let store = self.store.lock().unwrap();
        Ok(topics.iter().map(|topic| HeadRead::At(at(store.head(topic.id)))).collect())
    }

    async fn events(&self, _: &Call, request: EventsRequest) -> Result<EventsPage, CallError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let store = self.store.lock().unwrap();
        let head = at(store.head(request.topic.id));
        if request.after.generation != head.generation || request.after.seq > head.seq {
            return Ok(EventsPage::Reset { head });
        }
        let mut events = store.after(request.topic.id, request.after.seq.raw());
        events.truncate(request.limit as usize);
        Ok(EventsPage::Events { events, head })
    }

    async fn send(&self, _: &Call, send: RtmSend) -> Result<RtmSent, RtmError> {
        let Ok(id) = send.channel.parse() else {
            return Err(RtmError { code: -1, message: "channel not found".into() });
        };
        let record = {
            let mut store = self.store.lock().unwrap();
            store.sent.push(send.clone());
            let body = serde_json::json!({"type": "message", "text": send.text}).to_string();
            store.append(id, Effect::None, Some(send.session), &body)
        };
        let servers = self.publish.lock().unwrap().clone();
        if let Some(servers) = servers {
            servers.publish(vec![record]).await;
        }
        Ok(RtmSent { ts: Ts::from_micros(1_700_000_000_000_001), text: send.text })
    }
}

/// A Channel Server that passes on what it is told, and what was missed.
pub(crate) struct FakeChannel {
    node: NodeId,
    slot: SlotName,
    web: Arc<FakeWeb>,
    gateways: Arc<Directory<dyn Gateway>>,
    ring: watch::Receiver<Arc<Ring>>,
    /// Followers of each topic. Held while delivering, so that each gateway gets a topic in order.
    followers: tokio::sync::Mutex<HashMap<Topic, BTreeSet<NodeId>>>,
}

impl FakeChannel {
    fn call(&self) -> Call {
        Call {
            caller: self.node.clone(),
            epoch: self.ring.borrow().epoch(),
            trace: TraceId(1),
            timeout: Duration::from_secs(5),
        }
    }

    async fn deliver(&self, gateway: &NodeId, deliveries: Vec<Delivery>) {
        if let Some(port) = self.gateways.get(gateway) {
            // The gateway may be gone; then it hears of it by subscribing.
            let _ = port.deliver(&self.call(), self.slot.clone(), deliveries).await;
        }
    }

    pub(crate) async fn send(&self, topic: Topic, delivery: Delivery) {
        let followers = self.followers.lock().await;
        for gateway in followers.get(&topic).into_iter().flatten() {
            self.deliver(gateway, vec![delivery.clone()]).await;
        }
    }
}

#[async_trait]
impl ChannelServer for FakeChannel {
    async fn publish(&self, _: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        let replies = vec![Reply::Ok; events.len()];
        let followers = self.followers.lock().await;
        let mut groups: BTreeMap<NodeId, Vec<Delivery>> = BTreeMap::new();
        for event in events {
            for gateway in followers.get(&event.topic).into_iter().flatten() {
                groups.entry(gateway.clone()).or_default().push(Delivery::Event(event.clone()));
            }
        }
        for (gateway, deliveries) in groups {
            self.deliver(&gateway, deliveries).await;
        }
        Ok(replies)
    }

    async fn announce(&self, _: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        Ok(vec![Reply::Ok; heads.len()])
    }

    async fn signal(&self, _: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        let replies = vec![Reply::Ok; signals.len()];
        for signal in signals {
            self.send(signal.topic, Delivery::Signal(signal)).await;
        }
        Ok(replies)
    }

    async fn subscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        subscriptions: Vec<Subscription>,
    ) -> Result<Vec<Reply>, CallError> {
        let epoch = self.ring.borrow().epoch();
        if call.epoch < epoch {
            return Ok(vec![Reply::NotOwner { epoch }; subscriptions.len()]);
        }
        let mut followers = self.followers.lock().await;
        for Subscription { topic, after } in &subscriptions {
            followers.entry(*topic).or_default().insert(gateway.clone());
            let missed = self.web.store.lock().unwrap().after(topic.id, after.seq.raw());
            self.deliver(&gateway, missed.into_iter().map(Delivery::Event).collect()).await;
        }
        Ok(vec![Reply::Ok; subscriptions.len()])
    }

    async fn unsubscribe(
        &self,
        _: &Call,
        gateway: NodeId,
        topics: Vec<Topic>,
    ) -> Result<Vec<Reply>, CallError> {
        let mut followers = self.followers.lock().await;
        for topic in &topics {
            followers.entry(*topic).or_default().remove(&gateway);
        }
        Ok(vec![Reply::Ok; topics.len()])
    }

    async fn journey(&self, _: &Call, _: Topic, _: Seq) -> Result<Option<ChannelJourney>, CallError> {
        Ok(None)
    }
}

type Running = (Arc<FakeChannel>, Arc<Local<dyn ChannelServer>>);

/// The Channel Servers and the ring.
pub(crate) struct Servers {
    web: Arc<FakeWeb>,
    pub(crate) directory: Arc<Directory<dyn ChannelServer>>,
    gateways: Arc<Directory<dyn Gateway>>,
    ring: watch::Sender<Arc<Ring>>,
    ports: Mutex<HashMap<NodeId, Running>>,
}

impl Servers {
    fn start(&self, node: NodeId, slot: SlotName) {
        let server = Arc::new(FakeChannel {
            node: node.clone(),
            slot,
            web: Arc::clone(&self.web),
            gateways: Arc::clone(&self.gateways),
            ring: self.ring.subscribe(),
            followers: tokio::sync::Mutex::default(),
        });
        let port: Arc<Local<dyn ChannelServer>> = Local::new("channel", server.clone(), Runtime::current());
        self.directory.insert(node.clone(), port.clone());
        self.ports.lock().unwrap().insert(node, (server, port));
    }

    pub(crate) fn owner(&self, id: TopicId) -> Slot {
        self.ring.borrow().owner(topic(id)).clone()
    }

    pub(crate) fn server(&self, id: TopicId) -> Arc<FakeChannel> {
        Arc::clone(&self.ports.lock().unwrap()[&self.owner(id).node].0)
    }

    pub(crate) async fn publish(&self, events: Vec<EventRecord>) {
        for event in events {
            let port = self.directory.get(&self.owner(event.topic.id).node);
            let server = self.server(event.topic.id);
            if let Some(port) = port {
                // A dead one loses it; the sweep, or the next event, repairs that.
                let _ = port.publish(&server.call(), vec![event]).await;
            }
        }
    }

    /// Kills the server of a slot.
    pub(crate) fn kill(&self, slot: &Slot) {
        self.directory.remove(&slot.node);
        if let Some((_, port)) = self.ports.lock().unwrap().get(&slot.node) {
            port.kill();
        }
    }

    /// Puts another server behind a slot.
    pub(crate) fn replace(&self, slot: &Slot) {
        let node = NodeId { name: slot.node.name.clone(), incarnation: slot.node.incarnation + 1 };
        self.start(node.clone(), slot.name.clone());
        let next = self.ring.borrow().replaced(&slot.name, node).unwrap();
        self.ring.send_replace(Arc::new(next));
    }
}

/// A gateway and its world.
pub(crate) struct World {
    pub(crate) web: Arc<FakeWeb>,
    pub(crate) servers: Arc<Servers>,
    pub(crate) gateway: Handle,
    pub(crate) gateways: Arc<Directory<dyn Gateway>>,
    pub(crate) presence: presence::slots::Slots,
    pub(crate) presence_control: ControlHandle,
    pub(crate) metrics: Metrics,
    listener: TcpListener,
    tickets: AtomicU64,
}

impl World {
    /// Two loops, four slots, nobody connected.
    pub(crate) async fn start() -> Self {
        Self::with(Config { loops: 2, ..Config::default() }).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::with_presence(config, presence::slots::SlotsConfig::default()).await
    }

    /// With presence servers of other times.
    pub(crate) async fn with_presence(config: Config, presence_config: presence::slots::SlotsConfig) -> Self {
        let web = Arc::new(FakeWeb {
            store: Mutex::default(),
            sessions: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            publish: Mutex::new(None),
        });
        let slots: Vec<Slot> = (0..4)
            .map(|number| Slot {
                name: SlotName(format!("slot-{number}")),
                node: NodeId { name: format!("channel-{number}"), incarnation: 1 },
            })
            .collect();
        let ring = Ring::new(Epoch(1), slots.clone()).unwrap();
        let (sender, watch) = watch::channel(Arc::new(ring));
        let gateways = Arc::new(Directory::default());
        let servers = Arc::new(Servers {
            web: Arc::clone(&web),
            directory: Arc::new(Directory::default()),
            gateways: Arc::clone(&gateways),
            ring: sender,
            ports: Mutex::default(),
        });
        for slot in slots {
            servers.start(slot.node, slot.name);
        }
        *web.publish.lock().unwrap() = Some(Arc::clone(&servers));
        let (metrics, tasks) = (Metrics::default(), Tasks::new());
        let document = first_document("presence", 2, 1).unwrap();
        let presence_control = ControlHandle::start(ControlConfig::default(), document, &tasks);
        let presence_servers = Arc::new(Directory::default());
        let presence_deps = presence::role::Deps {
            ring: presence_control.ring(),
            gateways: Arc::clone(&gateways),
            metrics: PresenceMetrics::default(),
        };
        let presence = presence::slots::start(
            presence_config,
            presence_control.clone(),
            Arc::clone(&presence_servers),
            presence_deps,
            &tasks,
        );
        let port: Arc<dyn Web> = Arc::clone(&web) as Arc<dyn Web>;
        let deps = Deps {
            web: Local::new("web", port, Runtime::current()),
            channels: Arc::clone(&servers.directory),
            ring: watch,
            presence: Arc::new(Router::new(presence_control.ring(), presence_servers)),
            presence_ring: presence_control.ring(),
            clock: Clock::system(),
            metrics: metrics.clone(),
            tasks,
        };
        let gateway = gateway::start(&config, &deps).unwrap();
        for port in gateway.ports() {
            let local: Arc<dyn Gateway> = Local::new("gateway", Arc::clone(&port.port), port.runtime.clone());
            gateways.insert(port.node.clone(), local);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            web,
            servers,
            presence,
            presence_control,
            gateway,
            gateways,
            metrics,
            listener,
            tickets: AtomicU64::new(0),
        }
    }

    pub(crate) fn call() -> Call {
        Call {
            caller: NodeId { name: "test".into(), incarnation: 1 },
            epoch: Epoch(1),
            trace: TraceId(1),
            timeout: PATIENCE,
        }
    }

    /// Commits one event and publishes it.
    pub(crate) async fn post(&self, id: TopicId, text: &str) {
        self.post_many(id, 1, text).await;
    }

    /// Commits events of one topic and publishes them together.
    pub(crate) async fn post_many(&self, id: TopicId, count: u64, text: &str) {
        let records = (0..count).map(|_| self.commit(id, Effect::None, text)).collect();
        self.servers.publish(records).await;
    }

    /// Commits an event and does not publish it.
    pub(crate) fn commit(&self, id: TopicId, effect: Effect, text: &str) -> EventRecord {
        let body = serde_json::json!({"type": "message", "text": text}).to_string();
        self.web.store.lock().unwrap().append(id, effect, None, &body)
    }

    /// Makes a person a member without telling anybody.
    pub(crate) fn add_member(&self, who: UserId, id: TopicId) {
        self.web.store.lock().unwrap().members.insert((who, id));
    }

    /// A join or leave: both events, published.
    pub(crate) async fn change(&self, who: UserId, id: TopicId, joins: bool) {
        let channel = id.channel().unwrap();
        let effect = if joins { Effect::MemberJoined(who) } else { Effect::MemberLeft(who) };
        let in_channel = self.commit(id, effect, "changes");
        let at = in_channel.position;
        let effect = if joins { Effect::Joined { channel, at } } else { Effect::Left { channel, at } };
        let own = self.commit(TopicId::User(who), effect, if joins { "joined" } else { "left" });
        {
            let members = &mut self.web.store.lock().unwrap().members;
            if joins {
                members.insert((who, id))
            } else {
                members.remove(&(who, id))
            };
        }
        self.servers.publish(vec![in_channel, own]).await;
    }

    /// The person says that they are away, or that they are not any more.
    pub(crate) async fn say_away(&self, who: UserId, away: bool) {
        let said = self.commit(TopicId::User(who), Effect::ManualPresence { away }, "manual");
        {
            let away_ones = &mut self.web.store.lock().unwrap().away;
            if away {
                away_ones.insert(who)
            } else {
                away_ones.remove(&who)
            };
        }
        self.servers.publish(vec![said]).await;
    }

    pub(crate) fn ticket(&self, who: UserId, protocol: Protocol) -> String {
        let ticket = format!("ticket-{}", self.tickets.fetch_add(1, Ordering::Relaxed));
        self.web.store.lock().unwrap().tickets.insert(ticket.clone(), (who, protocol));
        ticket
    }

    /// Connects a socket and hands it over, as the HTTP listener does after the handshake.
    pub(crate) async fn adopt(&self, mut socket: AdoptedSocketPlan) -> Client {
        let tcp = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = socket.receive_buffer_bytes {
            tcp.set_recv_buffer_size(bytes).unwrap();
        }
        let address: SocketAddr = self.listener.local_addr().unwrap();
        let (client, server) = tokio::join!(tcp.connect(address), self.listener.accept());
        let stream = server.unwrap().0.into_std().unwrap();
        self.gateway.adopt().adopt(AdoptedSocket {
            stream: stream.into(),
            early: std::mem::take(&mut socket.early),
            protocol: socket.protocol,
            ticket: socket.ticket,
            origin: socket.origin,
        });
        Client { socket: WebSocketStream::from_raw_socket(client.unwrap(), Role::Client, None).await }
    }

    /// A client of our own protocol that has read its `hello`.
    pub(crate) async fn connect(&self, who: UserId) -> Client {
        let ticket = self.ticket(who, Protocol::Own);
        let mut client = self.adopt(AdoptedSocketPlan::new(ticket, Protocol::Own)).await;
        let hello = client.frame().await;
        assert_eq!(hello["type"], "hello");
        assert_eq!(hello["user"], who.to_string());
        client
    }

    /// A client of our own protocol that starts from nothing and is live.
    pub(crate) async fn connect_live(&self, who: UserId) -> Client {
        let mut client = self.connect(who).await;
        client.send(r#"{"type":"resume","positions":{}}"#).await;
        let topics =
            2 + self.web.store.lock().unwrap().members.iter().filter(|(member, _)| *member == who).count();
        for _ in 0..topics {
            assert_eq!(client.frame().await["type"], "_live");
        }
        client
    }

    /// An RTM client that has read its `hello`.
    pub(crate) async fn connect_rtm(&self, who: UserId) -> Client {
        let ticket = self.ticket(who, Protocol::Rtm);
        let mut client = self.adopt(AdoptedSocketPlan::new(ticket, Protocol::Rtm)).await;
        assert_eq!(client.frame().await, serde_json::json!({"type": "hello"}));
        client
    }
}

/// How to connect.
pub(crate) struct AdoptedSocketPlan {
    pub(crate) ticket: String,
    pub(crate) protocol: Protocol,
    pub(crate) early: Bytes,
    pub(crate) origin: Option<String>,
    pub(crate) receive_buffer_bytes: Option<u32>,
}

impl AdoptedSocketPlan {
    pub(crate) fn new(ticket: String, protocol: Protocol) -> Self {
        Self { ticket, protocol, early: Bytes::new(), origin: None, receive_buffer_bytes: None }
    }
}

/// A client.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message that is not a ping.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            let next = timeout(PATIENCE, self.socket.next()).await.expect("nothing came");
            match next.expect("the socket ended").expect("the socket failed") {
                Message::Ping(_) => {}
                other => return other,
            }
        }
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.message().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The code that the socket is closed with; frames before it are passed over.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match self.message().await {
                Message::Close(Some(close)) => return close.code.into(),
                Message::Close(None) => panic!("closed without a code"),
                _ => {}
            }
        }
    }

    /// The next event: its topic and seq.
    pub(crate) async fn event(&mut self) -> (TopicId, u64) {
        let frame = self.frame().await;
        assert_eq!(frame["type"], "message", "{frame}");
        (frame["_p"]["t"].as_str().unwrap().parse().unwrap(), frame["_p"]["s"].as_u64().unwrap())
    }

    /// A ping comes back after everything that was sent before.
    pub(crate) async fn nothing_more(&mut self) {
        self.send(r#"{"type":"ping","id":"end"}"#).await;
        let frame = self.frame().await;
        assert_eq!(frame["reply_to"], "end", "{frame}");
    }
}
