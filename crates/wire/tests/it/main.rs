//! Every object and event as it goes out, byte for byte, and its types against Slack's samples.

mod cases;
mod samples;
mod snapshots;
