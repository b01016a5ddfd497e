//! Posts per second as a ratio to the bare database writing the same rows, in one run:
//!
//! - `cargo run --release -p store --example append_rate`: the embedded engine against bare SQLite;
//! - `… --example append_rate -- postgres://…`: PostgreSQL against multi-row and single-row inserts by the same
//!   client library. Each measurement makes a workspace of its own there. Two numbers after the address, channels
//!   and items of a transaction, measure that alone.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "a measuring tool"
)]

mod postgres;
mod sqlite;
mod work;

fn main() {
    match std::env::args().nth(1) {
        None => sqlite::compare(),
        Some(url) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(postgres::compare(&url));
        }
    }
}
