//! What clients see: Slack's objects, events and error codes, and our own realtime frames.
