//! The ring: slots, owners, epochs, and their replacement.
