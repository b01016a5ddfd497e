//! Runs a [`Hub`] on real sockets and ports: one thread, one runtime, one `Rc`.
//!
//! Nothing here holds the hub across an await. Whatever changes the hub goes through [`Shell::with`], which
//! afterwards does what the hub asks for.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    io::ErrorKind,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use cluster::{Ring, RingWatch};
use model::{NodeId, TraceId};
use rpc::{
    AdoptedSocket, BootError, Call, CallError, ChannelServer, Directory, EventsRequest, GatewayJourney,
    Presence, Protocol, Signal, Web, call::TIMEOUT_ON_THE_WAY,
};
use runtime::Clock;
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    task::spawn_local,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{debug, error, info};
use wire::realtime::CloseCode;

use crate::{
    codec::{self, Decoder},
    hub::{Ask, Hub, Limits},
    metrics::{GatewayMetrics, ProtocolLabel, ReasonLabel},
    outbox::Flushed,
    port::{Command, Load},
    presence_link, rtm,
    session::SessionKey,
    socket::Socket,
    subscribe::{Subscriptions, back_off},
};

/// Largest frame that a client of our own protocol may send, bytes.
const OWN_FRAME_BYTES_MAX: usize = 64 << 10;
/// The read buffer that all sockets of a loop share, bytes.
const READ_BUFFER_BYTES: usize = 64 << 10;
/// Reads of one socket before others get their turn.
const READS_PER_TURN: usize = 8;
/// Commands taken before the next sockets are written.
const COMMANDS_PER_TURN: usize = 256;
/// Sessions that boot at the same time, per loop; further ones wait.
const BOOTS_MAX: usize = 64;
/// A boot that takes longer ends with 4002, waiting for its turn included.
const BOOT_WITHIN: Duration = Duration::from_secs(10);
/// Deadline of calls to other roles.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Deadline of a question after people's presence: longer than a presence server that is new has to settle.
const QUERY_TIMEOUT: Duration = Duration::from_secs(3);
/// Back-off of reads that failed.
const READ_WAIT_MIN: Duration = Duration::from_millis(20);
const READ_WAIT_MAX: Duration = Duration::from_secs(2);
/// How often a client that does not read its answers is looked at again.
const INPUT_PAUSE: Duration = Duration::from_millis(100);
/// Signals that wait to be sent to their owners. Full: the new one is shed.
const SIGNALS_MAX: usize = 1_024;
/// Sessions are closed in steps of this length while draining.
const DRAIN_STEP: Duration = Duration::from_millis(50);

/// What a loop is made of.
pub(crate) struct Parts {
    pub(crate) node: NodeId,
    pub(crate) limits: Limits,
    pub(crate) sessions_max: usize,
    pub(crate) send_buffer_bytes: usize,
    pub(crate) web: Arc<dyn Web>,
    pub(crate) channels: Arc<Directory<dyn ChannelServer>>,
    pub(crate) ring: RingWatch,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) presence_ring: RingWatch,
    pub(crate) clock: Clock,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) load: Arc<Load>,
}

/// A loop. Lives on one thread.
pub(crate) struct Shell {
    pub(crate) node: NodeId,
    pub(crate) hub: RefCell<Hub<Socket>>,
    pub(crate) channels: Arc<Directory<dyn ChannelServer>>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) presence: Arc<dyn Presence>,
    /// Presence servers must be told something.
    pub(crate) presence_due: Notify,
    web: Arc<dyn Web>,
    ring: RingWatch,
    clock: Clock,
    load: Arc<Load>,
    sessions_max: usize,
    send_buffer_bytes: usize,
    started: Instant,
    /// The loop has sockets to write.
    work: Notify,
    buffer: RefCell<Box<[u8]>>,
    boots: Semaphore,
    signals: RefCell<VecDeque<Signal>>,
    signal_waits: Notify,
    traces: AtomicU64,
    /// Gauges as this loop has set them: sessions of each protocol, topics, queued bytes, watched presence.
    shown: RefCell<[i64; 5]>,
    /// Sockets whose session has not started yet.
    booting: RefCell<usize>,
    /// Sockets whose session is over and that are being closed.
    lingering: RefCell<usize>,
}

/// Runs a loop until nobody can send it commands any more.
pub(crate) async fn run(parts: Parts, mut commands: mpsc::Receiver<Command>) {
    let ring = parts.ring.clone();
    let shell = Rc::new(Shell {
        node: parts.node,
        hub: RefCell::new(Hub::new(parts.limits)),
        channels: parts.channels,
        subscriptions: Subscriptions::default(),
        metrics: parts.metrics,
        presence: parts.presence,
        presence_due: Notify::new(),
        web: parts.web,
        ring: parts.ring,
        clock: parts.clock,
        load: parts.load,
        sessions_max: parts.sessions_max,
        send_buffer_bytes: parts.send_buffer_bytes,
        started: Instant::now(),
        work: Notify::new(),
        buffer: RefCell::new(vec![0; READ_BUFFER_BYTES].into_boxed_slice()),
        boots: Semaphore::new(BOOTS_MAX),
        signals: RefCell::default(),
        signal_waits: Notify::new(),
        traces: AtomicU64::new(1),
        shown: RefCell::default(),
        booting: RefCell::new(0),
        lingering: RefCell::new(0),
    });
    spawn_local(tick(Rc::clone(&shell)));
    spawn_local(send_signals(Rc::clone(&shell)));
    spawn_local(presence_link::run(Rc::clone(&shell), parts.presence_ring));
    let subscribing = Rc::clone(&shell);
    spawn_local(async move { subscribing.subscriptions.run(Rc::clone(&subscribing), ring).await });
    info!(node = %shell.node, "gateway loop started");
    fan_out(&shell, &mut commands).await;
}

/// Takes commands and writes sockets, a slice at a time.
async fn fan_out(shell: &Rc<Shell>, commands: &mut mpsc::Receiver<Command>) {
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => shell.take(command),
                None => return,
            },
            () = shell.work.notified() => {}
        }
        loop {
            for _ in 0..COMMANDS_PER_TURN {
                let Ok(command) = commands.try_recv() else { break };
                shell.take(command);
            }
            let now = shell.clock.now_us();
            let more = shell.with(|hub| hub.step(now));
            shell.load.backlog.store(shell.hub.borrow().backlog(), Ordering::Relaxed);
            if !more {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Once a second: pings and time limits, gauges, the sign of life.
async fn tick(shell: Rc<Shell>) {
    let mut interval = interval(Duration::from_secs(1));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let now_ms = shell.now_ms();
        shell.with(|hub| hub.tick(now_ms));
        shell.load.beat_ms.store(now_ms, Ordering::Relaxed);
        shell.count();
    }
}

/// Hands signals to the owners of their topics.
async fn send_signals(shell: Rc<Shell>) {
    loop {
        shell.signal_waits.notified().await;
        let waiting = std::mem::take(&mut *shell.signals.borrow_mut());
        let ring = shell.ring();
        let mut groups: Vec<(NodeId, Vec<Signal>)> = Vec::new();
        for signal in waiting {
            let node = &ring.owner(signal.topic).node;
            match groups.iter_mut().find(|(known, _)| known == node) {
                Some((_, group)) => group.push(signal),
                None => groups.push((node.clone(), vec![signal])),
            }
        }
        for (node, group) in groups {
            let count = group.len() as u64;
            let result = match shell.channels.get(&node) {
                Some(port) => port.signal(&shell.call(), group).await.map(|_| ()),
                None => Err(CallError::Unavailable { role: "channel" }),
            };
            if result.is_err() {
                shell.metrics.signals_shed.inc_by(count);
            }
        }
    }
}

impl Shell {
    /// Changes the hub, then does what it asks for.
    fn with<T>(self: &Rc<Self>, change: impl FnOnce(&mut Hub<Socket>) -> T) -> T {
        let (result, asks) = {
            let mut hub = self.hub.borrow_mut();
            hub.set_now(self.now_ms());
            let result = change(&mut hub);
            if hub.presence().is_due() {
                self.presence_due.notify_one();
            }
            (result, hub.take_asks())
        };
        for ask in asks {
            self.execute(ask);
        }
        result
    }

    /// As [`Shell::with`], for changes that may leave sockets to be written.
    fn with_work<T>(self: &Rc<Self>, change: impl FnOnce(&mut Hub<Socket>) -> T) -> T {
        let result = self.with(change);
        self.work.notify_one();
        result
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The newest ring.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.ring.borrow().clone()
    }

    /// The header of a call.
    pub(crate) fn call(&self) -> Call {
        let count = self.traces.fetch_add(1, Ordering::Relaxed);
        let trace = TraceId(u128::from(self.node.incarnation) << 64 | u128::from(count));
        Call { caller: self.node.clone(), epoch: self.ring.borrow().epoch(), trace, timeout: CALL_TIMEOUT }
    }

    /// The header of a call that reads what a topic or a session misses.
    fn read_call(&self) -> Call {
        Call { timeout: TIMEOUT_ON_THE_WAY, ..self.call() }
    }

    fn take(self: &Rc<Self>, command: Command) {
        match command {
            Command::Adopt(socket) => self.adopt(*socket),
            Command::Deliver(deliveries) => {
                let now = self.clock.now_us();
                self.load.queued.fetch_sub(deliveries.len(), Ordering::Relaxed);
                self.with(|hub| deliveries.into_iter().for_each(|delivery| hub.deliver(delivery, now)));
            }
            Command::Presence(epoch, changes) => self.with(|hub| hub.presence_changed(epoch, changes)),
            Command::Revoke(credentials, answer) => {
                let ended = self.with(|hub| hub.revoke(&credentials));
                // Whoever asked may have gone.
                let _ = answer.send(u32::try_from(ended).unwrap_or(u32::MAX));
            }
            Command::Journey(topic, seq, answer) => {
                let passed = self.hub.borrow().journeys().find(topic, seq);
                let journey = passed.map(|passed| GatewayJourney {
                    gateway: self.node.clone(),
                    received: passed.received,
                    written: passed.written,
                    sockets: passed.sockets,
                });
                let _ = answer.send(journey);
            }
            Command::Drain(over, answer) => {
                let shell = Rc::clone(self);
                spawn_local(async move {
                    shell.drain(over).await;
                    let _ = answer.send(());
                });
            }
        }
    }

    /// Takes a socket and starts its session.
    fn adopt(self: &Rc<Self>, socket: AdoptedSocket) {
        let AdoptedSocket { stream, early, protocol, ticket, origin } = socket;
        let adopted = match Socket::adopt(stream, self.send_buffer_bytes) {
            Ok(adopted) => adopted,
            Err(error) => {
                debug!(%error, "a socket could not be taken");
                self.load.sockets.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        };
        let full = self.load.sockets.load(Ordering::Relaxed) > self.sessions_max;
        if full || self.load.draining.load(Ordering::Relaxed) {
            let (code, reason) =
                if full { (CloseCode::Overloaded, "full") } else { (CloseCode::Draining, "draining") };
            self.refuse(adopted, code, reason);
            return;
        }
        *self.booting.borrow_mut() += 1;
        let shell = Rc::clone(self);
        spawn_local(async move {
            let result = shell.boot(adopted, early, protocol, ticket, origin).await;
            *shell.booting.borrow_mut() -= 1;
            if let Err((socket, code, reason)) = result {
                shell.refuse(socket, code, reason);
            }
        });
    }

    /// Redeems the ticket and starts the session.
    async fn boot(
        self: &Rc<Self>,
        socket: Socket,
        early: Bytes,
        protocol: Protocol,
        ticket: String,
        origin: Option<String>,
    ) -> Result<(), (Socket, CloseCode, &'static str)> {
        let call = self.call();
        let asked_ms = self.now_ms();
        let booting = async {
            // The semaphore is never closed.
            let _turn = self.boots.acquire().await.ok();
            self.web.boot(&call, ticket, origin).await
        };
        let boot = match timeout(BOOT_WITHIN, booting).await {
            Ok(Ok(boot)) => boot,
            Ok(Err(error)) => {
                let (code, reason) = boot_refusal(&error);
                return Err((socket, code, reason));
            }
            Err(_) => return Err((socket, CloseCode::Overloaded, "deadline")),
        };
        if boot.protocol != protocol {
            return Err((socket, CloseCode::Ticket, "protocol"));
        }
        let session = boot.session;
        let key = match self.with_work(|hub| hub.add(socket, boot, asked_ms)) {
            Ok(key) => key,
            Err((error, socket)) => {
                let code = match error {
                    crate::hub::AddError::Revoked => CloseCode::Revoked,
                    crate::hub::AddError::Full => CloseCode::Overloaded,
                };
                return Err((socket, code, "not_added"));
            }
        };
        debug!(%session, trace = %call.trace, ?protocol, "session started");
        let reader = spawn_local(read(Rc::clone(self), key, early, protocol)).abort_handle();
        match self.hub.borrow_mut().sink_mut(key) {
            Some(socket) => socket.set_reader(reader),
            None => reader.abort(),
        }
        Ok(())
    }

    /// Closes a socket that has no session.
    fn refuse(self: &Rc<Self>, socket: Socket, code: CloseCode, reason: &'static str) {
        self.metrics.boot_failures.get_or_create(&ReasonLabel { reason }).inc();
        debug!(code = code.code(), reason, "a session did not start");
        self.linger(socket, codec::close_frame(code.code(), code.name()));
    }

    fn linger(self: &Rc<Self>, socket: Socket, rest: Bytes) {
        *self.lingering.borrow_mut() += 1;
        let shell = Rc::clone(self);
        spawn_local(async move {
            socket.linger(rest).await;
            *shell.lingering.borrow_mut() -= 1;
            shell.show_load();
        });
        self.show_load();
    }

    /// What the choice of a loop for the next socket goes by.
    fn show_load(&self) {
        let sockets = self.hub.borrow().len() + *self.booting.borrow() + *self.lingering.borrow();
        self.load.sockets.store(sockets, Ordering::Relaxed);
    }

    /// Does what the hub asks for.
    fn execute(self: &Rc<Self>, ask: Ask<Socket>) {
        let shell = Rc::clone(self);
        match ask {
            Ask::Read { number, request, put_off_ms } => {
                spawn_local(async move {
                    if put_off_ms > 0 {
                        sleep(Duration::from_millis(put_off_ms)).await;
                    }
                    let result = shell.web.events(&shell.read_call(), request).await;
                    shell.with_work(|hub| hub.page(number, result));
                });
            }
            Ask::RetryRead { key, nonce, tries } => {
                spawn_local(async move {
                    sleep(back_off(tries, READ_WAIT_MIN, READ_WAIT_MAX)).await;
                    shell.with_work(|hub| hub.retry(key, nonce));
                });
            }
            Ask::Repair { request, tries } => {
                spawn_local(async move { shell.repair(request, tries).await });
            }
            Ask::Subscribe(topic) => self.subscriptions.add(topic),
            Ask::Unsubscribe(topic) => self.subscriptions.remove(topic),
            Ask::Signal(signal) => {
                let mut signals = self.signals.borrow_mut();
                if signals.len() < SIGNALS_MAX {
                    signals.push_back(signal);
                    self.signal_waits.notify_one();
                } else {
                    self.metrics.signals_shed.inc();
                }
            }
            Ask::Send { key, send } => {
                spawn_local(async move {
                    let result = shell.web.send(&shell.call(), send).await;
                    shell.with_work(|hub| hub.sent(key, result));
                });
            }
            Ask::Presence { key, people } => {
                spawn_local(async move {
                    let call = Call { timeout: QUERY_TIMEOUT, ..shell.call() };
                    let answers = shell.presence.query(&call, people.clone()).await;
                    shell.with_work(|hub| hub.presence_answered(key, &people, &answers));
                });
            }
            Ask::Flush(key) => {
                let flusher = spawn_local(flush(shell, key)).abort_handle();
                match self.hub.borrow_mut().sink_mut(key) {
                    Some(socket) => socket.set_flusher(flusher),
                    None => flusher.abort(),
                }
            }
            Ask::Linger { sink, rest } => self.linger(sink, rest),
        }
    }

    /// Reads what a topic misses.
    async fn repair(self: &Rc<Self>, request: EventsRequest, tries: u32) {
        if tries > 0 {
            sleep(back_off(tries, READ_WAIT_MIN, READ_WAIT_MAX)).await;
        }
        let result = self.web.events(&self.read_call(), request).await;
        if let Err(error) = &result {
            debug!(topic = %request.topic, %error, "reading a hole failed");
        }
        let now = self.clock.now_us();
        self.with_work(|hub| hub.repaired(request.topic, result, now));
    }

    /// Says goodbye, then closes everything over `over`.
    async fn drain(self: &Rc<Self>, over: Duration) {
        self.load.draining.store(true, Ordering::Relaxed);
        let spread_ms = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
        self.with(|hub| hub.say_goodbye(spread_ms));
        let steps = usize::try_from(over.as_millis() / DRAIN_STEP.as_millis()).unwrap_or(usize::MAX).max(1);
        let per_step = self.hub.borrow().len().div_ceil(steps);
        info!(node = %self.node, sessions = self.hub.borrow().len(), "draining");
        while !self.hub.borrow().is_empty() {
            sleep(DRAIN_STEP).await;
            self.with(|hub| hub.close_some(per_step.max(1)));
        }
        while *self.lingering.borrow() > 0 {
            sleep(DRAIN_STEP).await;
        }
    }

    /// Feeds bytes of a client to its session. Returns `false` when the session is over.
    fn take_bytes(self: &Rc<Self>, key: SessionKey, decoder: &mut Decoder, mut bytes: &[u8]) -> bool {
        loop {
            match decoder.next(bytes) {
                Ok(None) => return true,
                Ok(Some((message, rest))) => {
                    bytes = rest;
                    if !self.with_work(|hub| hub.receive(key, message)) {
                        return false;
                    }
                }
                Err(error) => {
                    self.with(|hub| hub.refuse(key, error.code(), ""));
                    return false;
                }
            }
        }
    }

    /// Waits until the client has sent something. `false`: the session is over.
    fn poll_readable(&self, key: SessionKey, cx: &mut Context<'_>) -> Poll<bool> {
        match self.hub.borrow().sink(key) {
            Some(socket) => socket.stream.poll_read_ready(cx).map(|_| true),
            None => Poll::Ready(false),
        }
    }

    fn poll_writable(&self, key: SessionKey, cx: &mut Context<'_>) -> Poll<bool> {
        match self.hub.borrow().sink(key) {
            Some(socket) => socket.stream.poll_write_ready(cx).map(|_| true),
            None => Poll::Ready(false),
        }
    }

    /// Reads what is there, within bounds. Returns `false` when the session is over.
    fn read_some(self: &Rc<Self>, key: SessionKey, decoder: &mut Decoder) -> bool {
        let mut buffer = self.buffer.borrow_mut();
        for _ in 0..READS_PER_TURN {
            let result = match self.hub.borrow().sink(key) {
                Some(socket) => socket.stream.try_read(&mut buffer),
                None => return false,
            };
            match result {
                Ok(count) if count > 0 => {
                    if !self.take_bytes(key, decoder, buffer.get(..count).unwrap_or_default()) {
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    self.with(|hub| hub.gone(key));
                    return false;
                }
            }
        }
        true
    }

    /// Brings the metrics up to date.
    fn count(&self) {
        let ((counts, bytes, shed), now) = {
            let mut hub = self.hub.borrow_mut();
            let now = [
                hub.len_of(Protocol::Own),
                hub.len_of(Protocol::Rtm),
                hub.topic_count(),
                hub.queued_bytes(),
                hub.presence_pairs(),
            ];
            (hub.take_counts(), now.map(|value| i64::try_from(value).unwrap_or(i64::MAX)))
        };
        let metrics = &self.metrics;
        metrics.events.inc_by(counts.events);
        metrics.bytes.inc_by(bytes);
        metrics.signals_shed.inc_by(shed);
        metrics.degraded.inc_by(counts.degraded);
        metrics.too_slow.inc_by(counts.too_slow);
        metrics.pages.inc_by(counts.pages);
        metrics.shared_pages.inc_by(counts.shared_pages);
        metrics.holes.inc_by(counts.repairs);
        metrics.footing_lost.inc_by(counts.footing_lost);
        if counts.footing_lost > 0 {
            error!(sessions = counts.footing_lost, "live sessions were out of place and catch up");
        }
        let before = std::mem::replace(&mut *self.shown.borrow_mut(), now);
        let [own, rtm, topics, queued, watches] = std::array::from_fn(|at| {
            now.get(at).copied().unwrap_or_default() - before.get(at).copied().unwrap_or_default()
        });
        metrics.sessions.get_or_create(&ProtocolLabel { protocol: "own" }).inc_by(own);
        metrics.sessions.get_or_create(&ProtocolLabel { protocol: "rtm" }).inc_by(rtm);
        metrics.topics.inc_by(topics);
        metrics.queue_bytes.inc_by(queued);
        metrics.presence_watches.inc_by(watches);
        metrics.presence_out.inc_by(counts.presence);
        self.show_load();
    }
}

/// Reads a client until its session is over. One such task per socket; it stays small.
async fn read(shell: Rc<Shell>, key: SessionKey, early: Bytes, protocol: Protocol) {
    let mut decoder = Decoder::new(match protocol {
        Protocol::Own => OWN_FRAME_BYTES_MAX,
        Protocol::Rtm => rtm::FRAME_BYTES_MAX,
    });
    if !shell.take_bytes(key, &mut decoder, &early) {
        return;
    }
    drop(early);
    loop {
        if !poll_fn(|cx| shell.poll_readable(key, cx)).await || !shell.read_some(key, &mut decoder) {
            return;
        }
        if !shell.hub.borrow().wants_input(key) {
            Box::pin(sleep(INPUT_PAUSE)).await;
        }
        tokio::task::consume_budget().await;
    }
}

/// Writes what waits for a socket as it takes it.
async fn flush(shell: Rc<Shell>, key: SessionKey) {
    while poll_fn(|cx| shell.poll_writable(key, cx)).await {
        if shell.with_work(|hub| hub.flush(key)) != Flushed::Full {
            return;
        }
    }
}

/// The close code for a boot that failed, and a word for the metrics.
fn boot_refusal(error: &BootError) -> (CloseCode, &'static str) {
    match error {
        BootError::Ticket => (CloseCode::Ticket, "ticket"),
        BootError::Origin => (CloseCode::Origin, "origin"),
        BootError::Revoked => (CloseCode::Revoked, "revoked"),
        BootError::Overloaded => (CloseCode::Overloaded, "overloaded"),
        BootError::Call(CallError::Failed { .. }) => (CloseCode::Internal, "failed"),
        BootError::Call(_) => (CloseCode::Overloaded, "unavailable"),
    }
}
