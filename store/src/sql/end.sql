SELECT seq, hash FROM events WHERE migration = ?1 ORDER BY seq DESC LIMIT 1
