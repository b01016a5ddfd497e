//! Wiring of the role: its configuration, its ports, and its life.

use std::sync::Arc;

use model::NodeId;
use rpc::{Admin, Adopt, Presence};
use runtime::{Clock, HttpLimits, OnEnd, Tasks, telemetry::Metrics};
use store::Store;
use tokio::{net::TcpListener, sync::Notify};

use crate::{app::App, appender::Appender, blobs::Blobs, photos::MakePhotos, publish::Journeys, router};

/// Which limits app tokens have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateLimits {
    /// Slack's tiers.
    #[default]
    Slack,
    /// None (sign-in stays throttled).
    Off,
}

/// What an operator can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where clients reach this server, for example `https://chat.example.org`. Addresses in answers start
    /// with it; with `https` cookies are `Secure` and sockets `wss`.
    pub public_url: String,
    /// Further origins whose pages may use a session cookie; the public URL's own always may.
    pub allowed_origins: Vec<String>,
    /// Limits of app tokens.
    pub rate_limits: RateLimits,
    /// Limits of the listener.
    pub http: HttpLimits,
    /// Proxies in front that append to `X-Forwarded-For`. 0: the header is ignored. Default 0.
    pub forwarded_hops: usize,
    /// Limits of files.
    pub files: FileLimits,
    /// Shown by `parlance.status`.
    pub version: &'static str,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            allowed_origins: Vec::new(),
            rate_limits: RateLimits::default(),
            http: HttpLimits::default(),
            forwarded_hops: 0,
            files: FileLimits::default(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// How much may be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// Largest file, bytes. Default 1 GiB.
    pub bytes_max: u64,
    /// All files of a workspace, bytes; 0: no limit. Default 0.
    pub workspace_bytes_max: u64,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self { bytes_max: 1 << 30, workspace_bytes_max: 0 }
    }
}

/// The ports.
#[derive(Clone)]
pub struct Deps {
    /// This node's name.
    pub node: NodeId,
    /// Reads.
    pub store: Arc<dyn Store>,
    /// Writes.
    pub appender: Appender,
    /// Signals, revocations, journeys.
    pub admin: Arc<dyn Admin>,
    /// Who is active; finds the presence server of each person.
    pub presence: Arc<dyn Presence>,
    /// Takes upgraded WebSockets; `None`: no gateway shares this listener.
    pub adopt: Option<Arc<dyn Adopt>>,
    /// What the publisher remembers of recent events, for `parlance.journey`.
    pub journeys: Journeys,
    /// Told when a job was queued that may be due soon.
    pub jobs: Arc<Notify>,
    /// The bytes of files and photos.
    pub blobs: Arc<Blobs>,
    /// Looks at pictures.
    pub photos: Arc<dyn MakePhotos>,
    /// Wall clock.
    pub clock: Clock,
    /// Where metrics are registered, and what `/metrics` shows.
    pub metrics: Metrics,
}

/// Serves HTTP on `listener` until the drain starts.
pub async fn run(config: Config, deps: Deps, listener: TcpListener, tasks: Tasks) {
    serve(App::new(config, deps, tasks), listener).await;
}

/// As [`run`], for who also needs the internal API ([`crate::internal::Internal`]) of the same role.
pub async fn serve(app: Arc<App>, listener: TcpListener) {
    let (http, tasks) = (app.config.http, app.tasks.clone());
    let (health, store) = (app.health.clone(), Arc::clone(&app.deps.store));
    let watching = health.watch(store, tasks.drain().clone());
    tasks.spawn("store health", OnEnd::Stop, watching);
    runtime::http::serve(listener, http, router::router(app), &tasks).await;
}
