//! Steps of the method dump.
