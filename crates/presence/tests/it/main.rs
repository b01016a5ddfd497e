//! Tests of the role: its state by tables and properties, its servers over the in-process transport.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod servers;
mod state;
mod state_props;
