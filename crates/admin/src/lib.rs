//! Role admin: topic to owner, batch, forward, retry.
