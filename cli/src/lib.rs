//! Moves every database of a PostgreSQL cluster to another one, live.
