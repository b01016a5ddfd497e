//! The durable store: one file per aggregate, embedded SQLite engine.
