//! Steps: schema before the data, indexes and constraints after it.
