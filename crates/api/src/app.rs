//! What all methods share.

use std::{collections::HashMap, sync::Arc};

use model::{Principal, TraceId, WorkspaceId};
use rpc::Call;
use runtime::Tasks;
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    errors::Failure,
    health::StoreHealth,
    limits::{Limits, retry_after_s},
    marks::Marks,
    methods::{METHODS, Method},
    metrics::ApiMetrics,
    origins::Origins,
    passwords::Passwords,
    photos,
    rates::{self, RateKey},
    role::{Config, Deps, RateLimits},
};

/// See [`App::large_bodies`]: 64 MiB.
const LARGE_BODIES_MAX: usize = 64;
/// See [`App::strangers_bodies`]: 8 MiB.
const STRANGERS_BODIES_MAX: usize = 8;

/// When whoever was refused because of the load may come back, seconds.
const SHED_RETRY_AFTER_S: u32 = 2;

/// The role's state: its ports, its limits, its metrics. Nothing in it outlives a restart.
pub struct App {
    /// What the operator set.
    pub config: Config,
    /// The ports.
    pub deps: Deps,
    /// Runs what outlives a request.
    pub tasks: Tasks,
    /// Which pages may use a cookie.
    pub origins: Origins,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Counts attempts to sign in.
    pub attempts: Limits<rates::Attempt>,
    /// Read cursors on their way to the store.
    pub marks: Marks,
    /// Large bodies of authenticated callers that may be read at once. Others wait as long as a body may take.
    pub large_bodies: Semaphore,
    /// The same of callers who may show a token in the body, or none.
    pub strangers_bodies: Semaphore,
    /// For each picture that is looked at.
    pub pictures: Arc<Semaphore>,
    /// Metrics.
    pub metrics: ApiMetrics,
    /// Whether the databases answer.
    pub health: StoreHealth,
    methods: HashMap<&'static str, &'static Method>,
    limits: Limits<RateKey>,
}

impl App {
    /// Puts the role together.
    #[must_use]
    pub fn new(config: Config, deps: Deps, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            origins: Origins::new(&config.public_url, &config.allowed_origins),
            passwords: Passwords::default(),
            attempts: Limits::default(),
            marks: Marks::default(),
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
            strangers_bodies: Semaphore::new(STRANGERS_BODIES_MAX),
            pictures: Arc::new(Semaphore::new(photos::AT_ONCE_MAX)),
            metrics: deps.metrics.register("api", ApiMetrics::register),
            health: deps.metrics.register("store", StoreHealth::register),
            methods: METHODS.iter().map(|method| (method.name, method)).collect(),
            limits: Limits::default(),
            config,
            deps,
            tasks,
        })
    }

    /// Where the server is reached, without a slash at its end.
    #[must_use]
    pub fn site(&self) -> &str {
        self.config.public_url.trim_end_matches('/')
    }

    /// The method of this name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods.get(name).copied()
    }

    /// Counts a call against its caller's limits, and looks at the load.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn check_rate(&self, method: &'static Method, principal: &Principal) -> Result<(), Failure> {
        if rates::is_shed(method.name, self.deps.appender.waiting_for(principal.workspace)) {
            return Err(Failure::rate_limited(SHED_RETRY_AFTER_S));
        }
        let Some((key, rate)) =
            rates::of_call(method, principal, self.config.rate_limits == RateLimits::Slack)
        else {
            return Ok(());
        };
        self.limits
            .check(key, rate, Instant::now())
            .map_err(|wait| Failure::rate_limited(retry_after_s(wait)))
    }

    /// Counts a message against the limit of its channel.
    ///
    /// # Errors
    /// `ratelimited`.
    pub fn check_channel_rate(
        &self,
        principal: &Principal,
        channel: model::ChannelId,
    ) -> Result<(), Failure> {
        if self.config.rate_limits == RateLimits::Off {
            return Ok(());
        }
        let (key, rate) = rates::of_channel(principal, channel);
        self.limits
            .check(key, rate, Instant::now())
            .map_err(|wait| Failure::rate_limited(retry_after_s(wait)))
    }

    /// What a call to another role carries.
    #[must_use]
    pub fn call(&self, trace: TraceId) -> Call {
        Call {
            caller: self.deps.node.clone(),
            // This role knows no ring; nothing that it calls depends on one.
            epoch: model::Epoch(0),
            trace,
            timeout: rpc::call::TIMEOUT_DEFAULT,
        }
    }

    /// The write of `kind` in `workspace`, and its outcome.
    ///
    /// # Errors
    /// The failure that the caller learns.
    pub async fn write(
        &self,
        workspace: WorkspaceId,
        kind: store::WriteKind,
        context: crate::appender::WriteContext,
    ) -> Result<store::Done, Failure> {
        Ok(self.deps.appender.write(store::Write { workspace, kind }, context).await?)
    }
}
