//! The binary `parlance`: command line, configuration, and the wiring of the roles. No behaviour.
//!
//! Reading order: [`cli`], [`config`], [`node`] (one function per port), [`control_socket`], [`transfer`], [`seed`].

pub mod cli;
pub mod config;
pub mod control_socket;
pub mod dead_jobs;
mod job_files;
pub mod node;
pub mod seed;
mod seed_story;
pub mod stores;
pub mod transfer;
pub mod workspaces;
