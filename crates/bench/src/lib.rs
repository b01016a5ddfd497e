//! Load generator and baselines: what `parlance bench` runs.
//!
//! Everything goes through sockets, as clients do it; nothing of the server's inside is linked. A figure is a ratio to a
//! baseline of the same run wherever there is one: machines differ, and are busy.
//!
//! | module | what |
//! |---|---|
//! | `fanout`, `posts`, `mix`, `slow`, `hour`, `idle`, `topics`, `storm` | the scenarios |
//! | `run`, `rounds` | one measurement of fan-out, and many of them |
//! | `crowd` | many people, before anything is measured |
//! | `fleet` | many sessions in one thread, and the check that nothing is lost, doubled or out of order |
//! | `posters`, `http`, `sends` | senders, and when each message was due |
//! | `limit`, `web`, `bare`, `disk` | the baselines: one constant frame to every socket, HTTP alone, SQLite alone, an append-only file |
//! | `peers`, `plain` | what others fan out with, and how the limit and they are spoken to |
//! | `server`, `measure` | the process that is measured, its CPU time and memory |
//! | `report`, `plot` | figures, a table, JSON, pictures |

mod bare;
mod crowd;
mod disk;
mod fanout;
mod fleet;
mod frames;
mod hour;
mod http;
mod idle;
mod limit;
mod measure;
mod mix;
mod peers;
mod plain;
mod plot;
mod posters;
mod posts;
pub mod report;
mod rounds;
mod run;
mod sends;
mod server;
mod slow;
mod storm;
mod topics;
mod web;

use clap::Subcommand;

use report::Report;

/// What to measure.
#[derive(Debug, Clone, Subcommand)]
pub enum Scenario {
    /// Messages to one channel with many people in it: through the API, the store and the gateway to every socket
    Fanout(fanout::Fanout),
    /// Messages from many senders to many channels, as fast as they are acknowledged
    Posts(posts::Posts),
    /// What a workspace does all day: messages, marks, typing, reactions, presence, in busy and quiet channels
    Mix(mix::Mix),
    /// Some sessions do not read what they are sent: what the others notice, and what each costs
    Slow(slow::Slow),
    /// Scheduled messages that fall due in one second, in many channels, while people read
    Hour(hour::Hour),
    /// What a session costs that says and hears nothing
    Idle(idle::Idle),
    /// What a topic costs that was used once, and in which nothing happens, in the whole server
    Topics(topics::Topics),
    /// The server is killed, and every session comes back at once
    Storm(storm::Storm),
    /// The server of the baseline, which scenarios start by themselves
    #[command(hide = true)]
    LimitServer {
        /// Bytes of each frame's text
        bytes: usize,
    },
    /// The server of the baseline of HTTP
    #[command(hide = true)]
    WebServer {
        /// Bytes of each answer
        bytes: usize,
    },
}

impl Scenario {
    /// Runs it, with progress on stderr. Nothing comes of the baseline's server but an address on stdout.
    ///
    /// # Errors
    /// When the server fails, or anything was lost, doubled or out of order.
    pub fn run(&self) -> anyhow::Result<Report> {
        match self {
            Self::Fanout(fanout) => fanout.run(),
            Self::Posts(posts) => posts.run(),
            Self::Mix(mix) => mix.run(),
            Self::Slow(slow) => slow.run(),
            Self::Hour(hour) => hour.run(),
            Self::Idle(idle) => idle.run(),
            Self::Topics(topics) => topics.run(),
            Self::Storm(storm) => storm.run(),
            Self::LimitServer { bytes } => limit::serve(*bytes).map(|()| Report::default()),
            Self::WebServer { bytes } => web::serve(*bytes).map(|()| Report::default()),
        }
    }
}
