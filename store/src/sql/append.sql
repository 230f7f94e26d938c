INSERT INTO events (migration, seq, epoch, at, database, step, item, kind, version, payload, hash)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
