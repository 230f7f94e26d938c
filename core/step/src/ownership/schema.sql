CREATE SCHEMA pghaul;
COMMENT ON SCHEMA pghaul IS 'Bookkeeping of a running pghaul migration. `pghaul remove` drops it.';
CREATE TABLE pghaul.owner (
    migration text NOT NULL,
    epoch integer NOT NULL,
    journal_seq bigint NOT NULL,
    head text NOT NULL,
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);
CREATE TABLE pghaul.effect (
    key text PRIMARY KEY,
    epoch integer NOT NULL
);
