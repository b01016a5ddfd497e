//! Tests only: starts real nodes and peers, checks histories.
