-- The role that moves owns the shop's tables, through its membership, but may only read the figures: so PostgreSQL
-- lets it publish the ones and not the others.
CREATE ROLE shop_owner;
CREATE ROLE mover LOGIN REPLICATION IN ROLE shop_owner;
