//! Role channel: live topics in memory, order, recent history, one copy per gateway.
