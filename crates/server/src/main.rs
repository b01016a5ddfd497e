//! The binary `parlance`.

use std::process::ExitCode;

use clap::Parser;

/// The system's takes a seventh of the CPU time of a post: ADR 0038 has what others were measured to take.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    server::cli::Cli::parse().run()
}
