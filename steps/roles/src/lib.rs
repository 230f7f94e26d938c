//! Step: roles and their memberships.
