//! The binary `parlance`.
