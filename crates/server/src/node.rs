//! One process with its roles: who gets which port of whom.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use api::{
    appender::{Appender, Batcher, WriteContext, WriteError},
    blobs::Blobs,
    publish::{BATCHES_MAX, Journeys, Publisher},
};
use async_trait::async_trait;
use channel::slots::{Slots, SlotsConfig};
use cluster::{ControlHandle, control::ControlConfig, shell};
use model::NodeId;
use pictures::Workers;
use rpc::{Admin, ChannelServer, Directory, Gateway, Local, Presence, Web};
use runtime::{Clock, HttpLimits, OnEnd, Tasks, telemetry::Metrics};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::Handle,
    sync::mpsc,
};
use tracing::{error, info, warn};

use crate::{
    cli::say,
    config::{Config, RateLimits},
    control_socket,
    job_files::JobFiles,
    stores::{self, Opened, OpenedShard},
};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;

/// A running process.
pub struct Node {
    /// Where it is reached on this machine, for example `http://127.0.0.1:8080`.
    pub url: String,
    /// The Channel Servers; tests kill them.
    pub slots: Slots,
    /// Who serves which slot.
    pub control: ControlHandle,
    /// The presence servers; tests kill them.
    pub presence: presence::slots::Slots,
    /// Who serves which slot of theirs.
    pub presence_control: ControlHandle,
    /// Listener and gateway: drained first.
    front: Tasks,
    /// Everything that they need: ended afterwards.
    back: Tasks,
    gateway: gateway::role::Handle,
    drain: Duration,
    _data: Option<store::DataDir>,
}

/// Runs a node until SIGTERM, Ctrl-C, or a failure.
///
/// # Errors
/// A sentence for the operator.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let node = Node::start(&config).await?;
    let ready = serde_json::json!({
        "ready": true,
        "url": node.url,
        "public_url": public_url(&config, &node.url),
        "pid": std::process::id(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    say(&ready.to_string());
    tokio::select! {
        () = stop_signal() => {
            info!("draining");
            node.drain().await;
            info!("drained");
            Ok(())
        }
        () = node.failed() => anyhow::bail!("a part that must not end has ended; the log says why"),
    }
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = signal(SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(error) => {
            error!(%error, "SIGTERM cannot be caught");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

fn public_url(config: &Config, url: &str) -> String {
    let configured = config.public_url.trim_end_matches('/');
    if configured.is_empty() { url.to_owned() } else { configured.to_owned() }
}

impl Node {
    /// Opens the store, starts every role, listens.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let address = config.address()?;
        let listener = listen(address).with_context(|| format!("listen: {address}"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let data = std::path::Path::new(&config.data);
        let Opened { shards, store, directory, data: held } = stores::open(config).await?;

        let (front, back) = (Tasks::new(), Tasks::new());
        let (clock, metrics) = (Clock::system(), Metrics::default());
        let incarnation = u64::try_from(clock.now_us()).unwrap_or_default();
        let node = NodeId { name: "web".to_owned(), incarnation };
        let (channels, gateways) = (Arc::new(Directory::default()), Arc::new(Directory::default()));

        let control = control("channel", config.slots, incarnation, &back)?;
        let presence = PresenceServers::start(config, incarnation, &gateways, &metrics, &back)?;
        let web = Local::<dyn Web>::unbound("web", Handle::current());
        let (appender, items) = match directory {
            Some(directory) => Appender::sharded(directory),
            None => {
                let (appender, items) = Appender::new();
                (appender, vec![items])
            }
        };
        let journeys = Journeys::default();
        let gateway = gateway(
            config,
            incarnation,
            &web,
            &channels,
            &gateways,
            (&control, &presence),
            (&clock, &metrics),
            &front,
        )?;
        let admin = admin(&node, &channels, &gateways, &control, (&clock, &metrics), &back);
        let slot_deps = channel::role::Deps {
            ring: control.ring(),
            gateways: Arc::clone(&gateways),
            web: Arc::clone(&web) as Arc<dyn Web>,
            clock: clock.clone(),
            metrics: channel::metrics::ChannelMetrics::register(&metrics),
        };
        let slots = channel::slots::start(
            SlotsConfig::default(),
            control.clone(),
            Arc::clone(&channels),
            slot_deps,
            &back,
        );
        let publisher =
            Publisher { node: node.clone(), admin: Arc::clone(&admin), journeys: journeys.clone() };
        let queued = Arc::new(tokio::sync::Notify::new());
        let blobs = open_blobs(config, &front)?;
        let workers = Arc::new(Workers::default());
        let files: Arc<dyn jobs::Files> = Arc::new(JobFiles {
            blobs: Arc::clone(&blobs),
            store: Arc::clone(&store),
            workers: Arc::clone(&workers),
        });
        run_jobs(&shards, &appender, &files, &queued, (&clock, &metrics), &front);
        let site = public_url(config, &url);
        write_paths(shards.into_iter().zip(items), publisher, &clock, &site, &back)?;

        let deps = api::role::Deps {
            node,
            store: Arc::clone(&store),
            appender: appender.clone(),
            admin: Arc::clone(&admin),
            presence: Arc::clone(&presence.router),
            adopt: Some(gateway.adopt()),
            journeys,
            jobs: Arc::clone(&queued),
            blobs,
            photos: workers,
            clock: clock.clone(),
            metrics,
        };
        let api_config = api_config(config, &url);
        let app = api::app::App::new(api_config, deps, front.clone());
        web.bind(Arc::new(api::internal::Internal::new(Arc::clone(&app))));
        let (serving, tasks) = (api::role::serve(app, listener), front.clone());
        front.spawn("http", OnEnd::Stop, async move {
            let _tasks = tasks;
            serving.await;
        });
        let socket = control_socket::Deps { store, appender, admin, queued, clock };
        control_socket::listen(data, socket, &back)?;
        let (presence, presence_control) = (presence.slots, presence.control);
        Ok(Self {
            url,
            slots,
            control,
            presence,
            presence_control,
            front,
            back,
            gateway,
            drain: config.drain(),
            _data: held,
        })
    }

    /// Ends when something failed that the process cannot do without.
    pub async fn failed(&self) {
        tokio::select! {
            () = self.front.failed().cancelled() => {}
            () = self.back.failed().cancelled() => {}
        }
    }

    /// Says goodbye to everybody, finishes what was begun, stops.
    pub async fn drain(&self) {
        self.front.start_drain();
        let goodbye = async {
            self.gateway.drain(self.drain / 2).await;
            self.front.ended().await;
        };
        if tokio::time::timeout(self.drain, goodbye).await.is_err() {
            error!("the drain took too long, stopping anyway");
        }
        self.back.start_drain();
        if tokio::time::timeout(Duration::from_secs(5), self.back.ended()).await.is_err() {
            error!("some tasks did not end, stopping anyway");
        }
    }
}

/// The directory of files. What interrupted uploads left there is taken away beside the rest.
fn open_blobs(config: &Config, tasks: &Tasks) -> anyhow::Result<Arc<Blobs>> {
    let directory = config.files_directory();
    let opened = Blobs::open(&directory);
    let blobs = Arc::new(opened.with_context(|| format!("files.directory: {}", directory.display()))?);
    let swept = Arc::clone(&blobs);
    tasks.spawn("files sweep", OnEnd::Ignore, async move {
        match swept.sweep().await {
            Ok(0) => {}
            Ok(count) => info!(count, "leftovers of interrupted uploads were taken away"),
            Err(error) => warn!(%error, "leftovers of interrupted uploads could not be looked for"),
        }
    });
    Ok(blobs)
}

fn listen(address: std::net::SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // After a crash the port is free at once although old connections linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The ring of a role, decided in this process.
fn control(role: &str, slots: u32, incarnation: u64, tasks: &Tasks) -> anyhow::Result<ControlHandle> {
    let document = shell::first_document(role, slots, incarnation)?;
    Ok(ControlHandle::start(ControlConfig::default(), document, tasks))
}

/// `presence`: its servers, their ring, and whoever finds the server of each person.
struct PresenceServers {
    slots: presence::slots::Slots,
    control: ControlHandle,
    router: Arc<dyn Presence>,
}

impl PresenceServers {
    fn start(
        config: &Config,
        incarnation: u64,
        gateways: &Arc<Directory<dyn Gateway>>,
        metrics: &Metrics,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let control = control("presence", config.presence.servers, incarnation, tasks)?;
        let servers = Arc::new(Directory::default());
        let mut slots_config = presence::slots::SlotsConfig::default();
        slots_config.slot.limits.away_after_ms = config.presence.away_after_s.saturating_mul(1_000);
        let deps = presence::role::Deps {
            ring: control.ring(),
            gateways: Arc::clone(gateways),
            metrics: presence::metrics::PresenceMetrics::register(metrics),
        };
        let slots = presence::slots::start(slots_config, control.clone(), Arc::clone(&servers), deps, tasks);
        let router = Arc::new(presence::router::Router::new(control.ring(), servers));
        Ok(Self { slots, control, router })
    }
}

/// `gateway`, and its loops in the directory.
#[expect(clippy::too_many_arguments, reason = "one argument per port")]
fn gateway(
    config: &Config,
    incarnation: u64,
    web: &Arc<Local<dyn Web>>,
    channels: &Arc<Directory<dyn ChannelServer>>,
    gateways: &Arc<Directory<dyn Gateway>>,
    (control, presence): (&ControlHandle, &PresenceServers),
    (clock, metrics): (&Clock, &Metrics),
    tasks: &Tasks,
) -> anyhow::Result<gateway::role::Handle> {
    let defaults = gateway::role::Config::default();
    let loops = if config.gateway.loops == 0 { defaults.loops } else { config.gateway.loops };
    let gateway_config = gateway::role::Config {
        incarnation,
        loops,
        sessions_max: config.gateway.sessions_max,
        session_queue_bytes_max: config.gateway.session_queue_bytes_max,
        activity_every: defaults.activity_every.min(Duration::from_secs(config.presence.away_after_s) / 8),
        ..defaults
    };
    let deps = gateway::role::Deps {
        web: Arc::clone(web) as Arc<dyn Web>,
        channels: Arc::clone(channels),
        ring: control.ring(),
        presence: Arc::clone(&presence.router),
        presence_ring: presence.control.ring(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        tasks: tasks.clone(),
    };
    let handle = gateway::role::start(&gateway_config, &deps)?;
    for entry in handle.ports() {
        let port = Local::new("gateway", Arc::clone(&entry.port), entry.runtime.clone());
        gateways.insert(entry.node.clone(), port as Arc<dyn Gateway>);
    }
    Ok(handle)
}

/// `admin`, behind its transport.
fn admin(
    node: &NodeId,
    channels: &Arc<Directory<dyn ChannelServer>>,
    gateways: &Arc<Directory<dyn Gateway>>,
    control: &ControlHandle,
    (clock, metrics): (&Clock, &Metrics),
    tasks: &Tasks,
) -> Arc<dyn Admin> {
    let deps = admin::role::Deps {
        node: NodeId { name: "admin".to_owned(), incarnation: node.incarnation },
        ring: control.ring(),
        channels: Arc::clone(channels),
        gateways: Arc::clone(gateways),
        clock: clock.clone(),
        metrics: admin::metrics::AdminMetrics::register(metrics),
    };
    Local::new("admin", admin::role::start(admin::role::Config::default(), deps, tasks), Handle::current())
}

/// What a job writes goes through the appender, like what a person writes.
struct JobWriter(Appender);

#[async_trait]
impl jobs::Writer for JobWriter {
    async fn write(&self, write: store::Write) -> Result<store::Done, jobs::WriteFailed> {
        self.0.write(write, WriteContext::default()).await.map_err(|failed| match failed {
            WriteError::Refused(refusal) => jobs::WriteFailed::Refused(refusal),
            failed => jobs::WriteFailed::Later(failed.to_string()),
        })
    }
}

/// The queue of each shard has a runner of its own.
fn run_jobs(
    shards: &[OpenedShard],
    appender: &Appender,
    files: &Arc<dyn jobs::Files>,
    queued: &Arc<tokio::sync::Notify>,
    (clock, metrics): (&Clock, &Metrics),
    tasks: &Tasks,
) {
    let metrics = jobs::metrics::JobsMetrics::register(metrics);
    for shard in shards {
        let deps = jobs::Deps {
            store: Arc::clone(&shard.store),
            writer: Arc::new(JobWriter(appender.clone())),
            files: Arc::clone(files),
            queued: Arc::clone(queued),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        tasks.spawn("jobs", OnEnd::Stop, jobs::run(jobs::Config::default(), deps, tasks.drain().clone()));
    }
}

/// For each shard an appender and a sweep; one publisher for all.
fn write_paths(
    shards: impl Iterator<Item = (OpenedShard, mpsc::Receiver<api::appender::Item>)>,
    publisher: Publisher,
    clock: &Clock,
    site: &str,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let (committed, batches) = mpsc::channel(BATCHES_MAX);
    let publisher = Arc::new(publisher);
    for (OpenedShard { log, store }, items) in shards {
        let batcher = Batcher::new(log, clock.clone(), committed.clone()).reached_at(site);
        write_path(batcher, items, tasks)?;
        let sweep = Arc::clone(&publisher).sweep(store.sweep(), tasks.drain().clone());
        tasks.spawn("sweep", OnEnd::Stop, sweep);
    }
    let drain = tasks.drain().clone();
    tasks.spawn("publisher", OnEnd::Stop, async move {
        tokio::select! {
            () = publisher.run(batches) => {}
            () = drain.cancelled() => {}
        }
    });
    Ok(())
}

/// An appender on a thread of its own.
fn write_path(
    batcher: Batcher,
    items: mpsc::Receiver<api::appender::Item>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let (alive, ended) = tokio::sync::oneshot::channel::<()>();
    let stop = tasks.drain().clone();
    std::thread::Builder::new().name("appender".to_owned()).spawn(move || {
        // Dropped when the thread ends, by a panic too: the process stops then.
        let _alive = alive;
        // A store on the network has its connection and its timers on this thread.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = runtime.map(|runtime| runtime.block_on(batcher.run_until(items, stop)));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => error!(%failure, "appender"),
            Err(failure) => error!(%failure, "appender"),
        }
    })?;
    tasks.spawn("appender", OnEnd::Stop, async move {
        let _ended = ended.await;
    });
    Ok(())
}

fn api_config(config: &Config, url: &str) -> api::role::Config {
    let mut allowed_origins = config.allowed_origins.clone();
    if config.public_url.is_empty() {
        // Nobody said how it is called, and on one's own machine it has two names.
        allowed_origins
            .extend(url.strip_prefix("http://127.0.0.1:").map(|port| format!("http://localhost:{port}")));
    }
    api::role::Config {
        public_url: public_url(config, url),
        allowed_origins,
        rate_limits: match config.rate_limits {
            RateLimits::Slack => api::role::RateLimits::Slack,
            RateLimits::Off => api::role::RateLimits::Off,
        },
        http: HttpLimits {
            connections_max: config.http.connections_max,
            header_timeout: Duration::from_secs(config.http.header_timeout_s),
            drain: config.drain(),
            ..HttpLimits::default()
        },
        forwarded_hops: config.http.forwarded_hops,
        files: api::role::FileLimits {
            bytes_max: config.files.bytes_max,
            workspace_bytes_max: config.files.workspace_bytes_max,
        },
        version: env!("CARGO_PKG_VERSION"),
    }
}
