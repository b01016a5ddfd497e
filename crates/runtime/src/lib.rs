//! Supervised tasks, drain, clock, HTTP listener, telemetry.
