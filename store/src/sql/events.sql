SELECT migration, seq, epoch, at, database, step, item, kind, version, payload, hash
FROM events
WHERE migration = ?1 AND seq > ?2
ORDER BY seq
LIMIT ?3
