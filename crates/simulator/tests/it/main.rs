//! Many simulations: none may break a promise, each must be the same again, and bugs put in on purpose must be found.

// Helpers of tests may fail as tests do.
#![allow(clippy::unwrap_used)]

mod run;
mod simulation;
