//! Ids, positions, messages and events: values without I/O, clock or wire format.
