-- Every journal holds these statements as they stand here, and `journal verify` compares them: another letter needs another format.
CREATE TABLE migrations (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    migration TEXT    NOT NULL REFERENCES migrations (id),
    seq       INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    at        TEXT    NOT NULL,
    database  TEXT,
    step      TEXT,
    item      TEXT,
    kind      TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    payload   TEXT    NOT NULL,
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (migration, seq)
) STRICT, WITHOUT ROWID;

-- What is written stays. The third trigger also keeps INSERT OR REPLACE from rewriting an event.
CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER events_come_in_sequence BEFORE INSERT ON events
WHEN NEW.seq IS NOT 1 + coalesce((SELECT max(seq) FROM events WHERE migration = NEW.migration), 0)
BEGIN SELECT RAISE(ABORT, 'not the next event'); END;

CREATE TRIGGER migrations_are_never_updated BEFORE UPDATE ON migrations
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER migrations_are_never_deleted BEFORE DELETE ON migrations
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER migrations_are_never_replaced BEFORE INSERT ON migrations
WHEN EXISTS (SELECT 1 FROM migrations WHERE id = NEW.id OR name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'the migration exists'); END;
