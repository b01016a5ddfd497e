//! Role web: auth, Slack's methods, the write path, internal reads.
