//! Tests of the role `web` in process, over the embedded store.

mod accounts;
mod answers;
mod checks;
mod conversations;
mod forms;
mod internal;
mod listener;
mod messages;
mod property;
mod rates;
mod world;
