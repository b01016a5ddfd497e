//! Logs and metrics.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{encoding::text::encode, registry::Registry};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Checks a filter without using it.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), String> {
    EnvFilter::try_new(filter).map(|_| ()).map_err(|error| format!("{filter:?}: {error}"))
}

/// Sends logs to standard error. `filter` has the form of `RUST_LOG`, for example `info,gateway=debug`.
///
/// # Errors
/// A sentence that says what is wrong with `filter`, or that logging was set up before.
pub fn start_logs(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log filter {filter:?}: {error}"))?;
    let base = tracing_subscriber::registry().with(filter);
    let result = match format {
        LogFormat::Json => {
            base.with(fmt::layer().json().with_span_list(false).with_writer(std::io::stderr)).try_init()
        }
        LogFormat::Text => base.with(fmt::layer().with_writer(std::io::stderr)).try_init(),
    };
    result.map_err(|error| error.to_string())
}

/// The metrics of one node; each role registers its own. No global state, so that several nodes fit in
/// one process.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// Registers metrics under `parlance_<role>_…`.
    pub fn register<T>(&self, role: &str, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        register(registry.sub_registry_with_prefix("parlance").sub_registry_with_prefix(role))
    }

    /// The OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }
}
