//! Role gateway: sessions, subscriptions, resume, budgets.
