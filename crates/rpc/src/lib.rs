//! The contracts between roles.
