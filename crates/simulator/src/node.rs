//! Everything of a node, each role on a machine of its own: who gets which port of whom.
//!
//! The wiring of `server/src/node.rs`, with the network in between and without threads.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use api::{
    appender::{Appender, Batcher},
    blobs::Blobs,
    publish::{BATCHES_MAX, Journeys, Publisher},
};
use cluster::{ControlConfig, ControlHandle, shell};
use model::{NodeId, SlotName};
use rpc::{Admin, Adopt, ChannelServer, Directory, Gateway, Local, Presence, Web};
use runtime::{Clock, OnEnd, Tasks, telemetry::Metrics};
use store::Store;
use tokio::sync::mpsc;

use crate::{
    discovery::{Registry, Rings},
    drive,
    host::Host,
    log::{FaultyLog, Ledger},
    mutants::Mutant,
    network::Network,
    ports::{Place, Wire},
    system,
};

/// Gateways, each a machine.
pub(crate) const GATEWAYS: [&str; 2] = ["gateway-0", "gateway-1"];
/// Slots of Channel Servers.
const SLOTS: u32 = 4;
/// Slots of presence servers.
const PRESENCE_SLOTS: u32 = 2;

/// Machines by their places in [`Node::hosts`].
pub(crate) const CONTROL: usize = 0;
pub(crate) const WEB: usize = 1;
pub(crate) const ADMIN: usize = 2;
pub(crate) const CHANNELS: usize = 3;
pub(crate) const PRESENCE: usize = 4;
pub(crate) const GATEWAY: usize = 5;
/// All of them; the gateways are the last.
pub(crate) const NAMES: [&str; 7] =
    ["control", "web", "admin", "channels", "presence", GATEWAYS[0], GATEWAYS[1]];

/// The HTTP side of `web`, as people reach it.
#[derive(Clone)]
pub(crate) struct Front {
    /// The routes.
    pub(crate) router: axum::Router,
    /// Where requests run.
    pub(crate) runtime: tokio::runtime::Handle,
}

/// What people reach: addresses that stay while machines come and go.
#[derive(Clone, Default)]
pub(crate) struct Doors {
    /// HTTP.
    pub(crate) web: Place<Front>,
    /// Sockets, by gateway.
    pub(crate) gateways: [Place<dyn Adopt>; 2],
}

/// A node.
pub(crate) struct Node {
    /// Its machines, by [`NAMES`].
    pub(crate) hosts: Vec<Host>,
    /// What people reach.
    pub(crate) doors: Doors,
    /// The ring as each machine knows it.
    pub(crate) rings: [Rings; 2],
    network: Arc<Network>,
    ledger: Arc<Ledger>,
    mutant: Option<Mutant>,
    dir: PathBuf,
    clocks: Vec<Clock>,
    starts: u64,
    control: Option<[ControlHandle; 2]>,
    slots: Option<channel::slots::Slots>,
    presence_slots: Option<presence::slots::Slots>,
    web: Place<dyn Web>,
    /// The same, to be killed: whoever calls it would keep what it holds.
    web_port: Option<Arc<Local<dyn Web>>>,
    admin: Place<dyn Admin>,
    channels: Registry<dyn ChannelServer>,
    presences: Registry<dyn Presence>,
    gateways: Vec<Registry<dyn Gateway>>,
}

impl Node {
    /// A node that is off; its store is in `dir`.
    pub(crate) fn new(
        dir: PathBuf,
        network: Arc<Network>,
        ledger: Arc<Ledger>,
        mutant: Option<Mutant>,
    ) -> Self {
        Self {
            hosts: NAMES.iter().map(|name| Host::new(name)).collect(),
            doors: Doors::default(),
            rings: [Rings::default(), Rings::default()],
            network,
            ledger,
            mutant,
            dir,
            clocks: NAMES.iter().map(|_| Clock::manual(0)).collect(),
            starts: 0,
            control: None,
            slots: None,
            presence_slots: None,
            web: Place::default(),
            web_port: None,
            admin: Place::default(),
            channels: Registry::default(),
            presences: Registry::default(),
            gateways: GATEWAYS.iter().map(|_| Registry::default()).collect(),
        }
    }

    /// Switches a machine on.
    ///
    /// # Errors
    /// It could not be.
    pub(crate) fn start(&mut self, place: usize, now: Duration) -> anyhow::Result<()> {
        self.starts += 1;
        let host = self.hosts.get_mut(place).context("no such machine")?;
        self.network.trace.note(host.name, "starts", "");
        host.start(now)?;
        match place {
            CONTROL => self.start_control(),
            WEB => self.start_web(),
            ADMIN => self.start_admin(),
            CHANNELS => self.start_channels(),
            PRESENCE => self.start_presence(),
            gateway => self.start_gateway(gateway - GATEWAY),
        }
    }

    /// Switches a machine off where it stands.
    pub(crate) fn crash(&mut self, place: usize) {
        let Some(host) = self.hosts.get_mut(place) else { return };
        self.network.trace.note(host.name, "dies", "");
        if place == WEB {
            // What the end of its tasks writes is written after its end.
            drive::end();
        }
        host.crash();
        match place {
            WEB => {
                self.doors.web.set(None);
                self.web.set(None);
                if let Some(port) = self.web_port.take() {
                    port.kill();
                }
            }
            ADMIN => self.admin.set(None),
            CHANNELS => {
                self.slots = None;
                self.channels.clear();
            }
            PRESENCE => {
                self.presence_slots = None;
                self.presences.clear();
            }
            _ => {
                if let Some(door) = place.checked_sub(GATEWAY).and_then(|n| self.doors.gateways.get(n)) {
                    door.set(None);
                }
            }
        }
    }

    /// Whether a machine is on.
    pub(crate) fn is_on(&self, place: usize) -> bool {
        self.hosts.get(place).is_some_and(|host| host.handle().is_some())
    }

    /// Sets what a machine takes for the time of day, microseconds since 1970.
    pub(crate) fn set_clock(&self, place: usize, micros: i64) {
        if let Some(clock) = self.clocks.get(place) {
            clock.set(micros);
        }
    }

    /// Kills or cuts off the Channel Server of a slot.
    pub(crate) fn harm_slot(&self, number: usize, kill: bool) {
        let slot = SlotName(format!("slot-{number:02}"));
        let what = if kill { "dies" } else { "cut off" };
        self.network.trace.note(&slot.0, what, "");
        if let (Some(slots), Some(host)) = (&self.slots, self.hosts.get(CHANNELS)) {
            // A machine that is off has no slots; that is no error here.
            let _ = host.inside(|_| if kill { slots.kill(&slot) } else { slots.cut_off(&slot) });
        }
    }

    /// Lets every machine know what changed elsewhere; some hear of a ring later than others.
    pub(crate) fn spread_news(&mut self, late: &mut crate::random::Random) {
        self.channels.spread();
        self.presences.spread();
        for gateway in &mut self.gateways {
            gateway.spread();
        }
        for rings in &mut self.rings {
            rings.spread(late);
        }
    }

    /// Slots of Channel Servers.
    pub(crate) fn slot_count() -> usize {
        usize::try_from(SLOTS).unwrap_or_default()
    }

    fn host(&self, place: usize) -> anyhow::Result<&Host> {
        self.hosts.get(place).context("no such machine")
    }

    fn clock(&self, place: usize) -> Clock {
        self.clocks.get(place).cloned().unwrap_or_default()
    }

    fn wire<P: ?Sized>(&self, from: usize, to: &'static str, inner: Place<P>) -> Wire<P> {
        let from = NAMES.get(from).copied().unwrap_or_default();
        Wire { from, to, inner, network: Arc::clone(&self.network), mutant: self.mutant }
    }

    fn controls(&self) -> anyhow::Result<&[ControlHandle; 2]> {
        self.control.as_ref().context("control was never started")
    }

    fn start_control(&mut self) -> anyhow::Result<()> {
        let incarnation = self.starts;
        let control = self.host(CONTROL)?.inside(|tasks| {
            let start = |role: &str, slots| {
                let document = shell::first_document(role, slots, incarnation * 1_000)?;
                anyhow::Ok(ControlHandle::start(ControlConfig::default(), document, tasks))
            };
            anyhow::Ok([start("channel", SLOTS)?, start("presence", PRESENCE_SLOTS)?])
        })??;
        for (rings, control) in self.rings.iter_mut().zip(&control) {
            rings.follow(control.ring());
        }
        self.control = Some(control);
        Ok(())
    }

    fn start_admin(&mut self) -> anyhow::Result<()> {
        let network = Arc::clone(&self.network);
        let deps = admin::role::Deps {
            node: NodeId { name: "admin".to_owned(), incarnation: self.starts },
            ring: self.rings[0].of("admin")?,
            channels: self.channels.view("admin", "channels", &network, self.mutant),
            gateways: self.gateway_views("admin"),
            clock: self.clock(ADMIN),
            metrics: admin::metrics::AdminMetrics::register(&Metrics::default()),
        };
        let port = self.host(ADMIN)?.inside(|tasks| {
            let role = admin::role::start(admin::role::Config::default(), deps, tasks);
            Local::new("admin", role, tokio::runtime::Handle::current())
        })?;
        self.admin.set(Some(port as Arc<dyn Admin>));
        Ok(())
    }

    /// A directory of all gateways, as one machine knows them.
    fn gateway_views(&mut self, from: &'static str) -> Arc<Directory<dyn Gateway>> {
        let view = Arc::new(Directory::default());
        for (gateway, name) in self.gateways.iter_mut().zip(GATEWAYS) {
            gateway.add_view(from, name, Arc::clone(&view), &self.network, self.mutant);
        }
        view
    }

    fn start_channels(&mut self) -> anyhow::Result<()> {
        let control = self.controls()?[0].clone();
        self.renew(&control);
        let deps = channel::role::Deps {
            ring: self.rings[0].of("channels")?,
            gateways: self.gateway_views("channels"),
            web: Arc::new(self.wire(CHANNELS, "web", self.web.clone())),
            clock: self.clock(CHANNELS),
            metrics: channel::metrics::ChannelMetrics::register(&Metrics::default()),
        };
        let directory = self.channels.origin();
        let slots = self
            .host(CHANNELS)?
            .inside(|tasks| channel::slots::start(Default::default(), control, directory, deps, tasks))?;
        self.slots = Some(slots);
        Ok(())
    }

    /// What was started again is newer than what the ring names.
    fn renew(&self, control: &ControlHandle) {
        let ring = Arc::clone(&control.ring().borrow());
        for slot in ring.slots() {
            control.lost(&slot.node);
            let node = NodeId { incarnation: slot.node.incarnation + 1, ..slot.node.clone() };
            // Nobody else offers nodes of these names.
            let _ = control.offered(node);
        }
        for rings in &self.rings {
            rings.tell("channels");
            rings.tell("presence");
        }
    }

    fn start_presence(&mut self) -> anyhow::Result<()> {
        let control = self.controls()?[1].clone();
        self.renew(&control);
        let deps = presence::role::Deps {
            ring: self.rings[1].of("presence")?,
            gateways: self.gateway_views("presence"),
            metrics: presence::metrics::PresenceMetrics::register(&Metrics::default()),
        };
        let directory = self.presences.origin();
        let slots = self
            .host(PRESENCE)?
            .inside(|tasks| presence::slots::start(Default::default(), control, directory, deps, tasks))?;
        self.presence_slots = Some(slots);
        Ok(())
    }

    fn presence_router(&mut self, from: &'static str) -> anyhow::Result<Arc<dyn Presence>> {
        let servers = self.presences.view(from, "presence", &self.network, self.mutant);
        Ok(Arc::new(presence::router::Router::new(self.rings[1].of(from)?, servers)))
    }

    fn start_gateway(&mut self, number: usize) -> anyhow::Result<()> {
        let name = *GATEWAYS.get(number).context("no such gateway")?;
        let config = gateway::Config {
            name: name.to_owned(),
            incarnation: self.starts,
            loops: 1,
            // Small, so that a slow reader is degraded within a simulation.
            session_queue_bytes_max: 4 << 10,
            ..gateway::Config::default()
        };
        let place = GATEWAY + number;
        let presence = self.presence_router(name)?;
        let (ring, presence_ring) = (self.rings[0].of(name)?, self.rings[1].of(name)?);
        let channels = self.channels.view(name, "channels", &self.network, self.mutant);
        let web = Arc::new(self.wire(place, "web", self.web.clone()));
        let clock = self.clock(place);
        let handle = self.host(place)?.inside(|tasks| {
            let deps = gateway::Deps {
                web,
                channels,
                ring,
                presence,
                presence_ring,
                clock,
                metrics: Metrics::default(),
                tasks: tasks.clone(),
            };
            gateway::start_here(&config, &deps)
        })??;
        let registry = self.gateways.get_mut(number).context("no such gateway")?;
        registry.clear();
        for entry in handle.ports() {
            let port = Local::new("gateway", Arc::clone(&entry.port), entry.runtime.clone());
            registry.origin().insert(entry.node.clone(), port as Arc<dyn Gateway>);
        }
        if let Some(door) = self.doors.gateways.get(number) {
            door.set(Some(handle.adopt()));
        }
        Ok(())
    }

    fn start_web(&mut self) -> anyhow::Result<()> {
        drive::restore(&self.dir)?;
        if let Some(mutant) = self.mutant {
            mutant.before_start(&self.dir)?;
        }
        let Some((log, store)) = self.ledger.open(&self.dir)? else { return Ok(()) };
        let store: Arc<dyn Store> = Arc::new(store);
        let node = NodeId { name: "web".to_owned(), incarnation: self.starts };
        let admin: Arc<dyn Admin> = Arc::new(self.wire(WEB, "admin", self.admin.clone()));
        let presence = self.presence_router("web")?;
        let log = FaultyLog::new(Box::new(log), Arc::clone(&self.ledger), self.mutant, self.dir.clone());
        let blobs = Arc::new(Blobs::open(&self.dir.join("files"))?);
        let clock = self.clock(WEB);
        let mutant = self.mutant;
        let (web, doors) = (self.web.clone(), self.doors.clone());
        let port = self.host(WEB)?.inside(|tasks| {
            let (appender, items) = Appender::new();
            let journeys = Journeys::default();
            let publisher =
                Publisher { node: node.clone(), admin: Arc::clone(&admin), journeys: journeys.clone() };
            write_path(Box::new(log), items, publisher, store.as_ref(), &clock, mutant, tasks);
            let deps = api::role::Deps {
                node,
                store,
                appender,
                admin,
                presence,
                adopt: None,
                journeys,
                jobs: Arc::default(),
                blobs,
                // Nobody here has a photo.
                photos: Arc::new(pictures::Workers::default()),
                clock,
                metrics: Metrics::default(),
            };
            let config =
                api::role::Config { rate_limits: api::role::RateLimits::Off, ..api::role::Config::default() };
            let app = api::app::App::new(config, deps, tasks.clone());
            let runtime = tokio::runtime::Handle::current();
            let internal = Arc::new(api::internal::Internal::new(Arc::clone(&app)));
            let port = Local::new("web", internal as Arc<dyn Web>, runtime.clone());
            web.set(Some(Arc::clone(&port) as Arc<dyn Web>));
            doors.web.set(Some(Arc::new(Front { router: api::router::router(app), runtime })));
            port
        })?;
        self.web_port = Some(port);
        Ok(())
    }
}

/// Appender, publisher and sweep.
fn write_path(
    log: Box<dyn store::Log>,
    items: mpsc::Receiver<api::appender::Item>,
    publisher: Publisher,
    store: &dyn Store,
    clock: &Clock,
    mutant: Option<Mutant>,
    tasks: &Tasks,
) {
    let (committed, batches) = mpsc::channel(BATCHES_MAX);
    let publisher = Arc::new(publisher);
    let batcher = Batcher::new(log, clock.clone(), committed);
    tasks.spawn("appender", OnEnd::Stop, async move {
        // The end of it is noticed as that of a task that must not end.
        let _ = batcher.run(items).await;
    });
    if !mutant.is_some_and(Mutant::has_no_sweep) {
        let sweep = Arc::clone(&publisher).sweep(store.sweep(), tasks.drain().clone());
        tasks.spawn("sweep", OnEnd::Stop, sweep);
    }
    tasks.spawn("publisher", OnEnd::Stop, publisher.run(batches));
}

/// The time of day at a moment of the simulation, microseconds since 1970.
pub(crate) fn time_of_day(now: Duration) -> i64 {
    let start = i64::try_from(system::START_S).unwrap_or_default().saturating_mul(1_000_000);
    start.saturating_add(i64::try_from(now.as_micros()).unwrap_or_default())
}
