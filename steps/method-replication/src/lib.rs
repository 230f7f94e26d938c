//! Steps of the method replication.
