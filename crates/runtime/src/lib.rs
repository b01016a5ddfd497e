//! What every role runs on: clock, supervised tasks and drain, the HTTP listener, telemetry.

pub mod clock;
pub mod http;
pub mod tasks;
pub mod telemetry;

pub use clock::Clock;
pub use http::{HttpLimits, Peer};
pub use tasks::{OnEnd, Tasks};
