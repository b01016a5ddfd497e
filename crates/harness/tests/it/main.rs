//! The real binary, from outside.

// Helpers of tests are tests too; JSON values answer null to an index that is not there.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod arguments;
mod bench;
mod campaign;
mod commands;
mod crash;
mod disk;
mod durable;
mod faults;
mod files;
mod isolation;
mod load;
mod matrix;
mod operation;
mod postgresql;
mod presence;
mod realtime;
mod refusals;
mod sessions;
mod slots;
mod snapshot;
mod transfer;
mod workspaces;
