//! The contracts between roles: what they ask of each other, and the in-process transport.
//!
//! ```text
//! api ──Admin──▶ admin ──ChannelServer──▶ channel ──Gateway──▶ gateway
//!  ▲                                         │                    │
//!  └──────────────────Web────────────────────┴────────────────────┘
//!
//! api, gateway ──Presence──▶ presence ──Gateway──▶ gateway
//! ```
//!
//! Contracts are batched and idempotent; a batch is answered item by item. Roles hold `Arc<dyn Port>`
//! and cannot tell which transport is behind it. What travels is owned data, never a shared reference.

pub mod adopt;
pub mod call;
pub mod event;
pub mod local;
pub mod ports;
pub mod presence;

pub use adopt::{Adopt, AdoptedSocket, AdoptedStream, Protocol, SimulatedStream};
pub use call::{Call, CallError, Refusal, Reply};
pub use event::{Audience, Delivery, Effect, EventRecord, Signal, SignalKind};
pub use local::{Directory, Local};
pub use ports::{
    Actor, Admin, Boot, BootError, ChannelJourney, ChannelServer, EventsPage, EventsRequest, Gateway,
    GatewayJourney, Journey, Presence, Revoked, RtmError, RtmSend, RtmSent, Subscription, Web,
};
pub use presence::{ManualAway, Person, PresenceChange, PresenceNow, PresenceReport, Watch};
