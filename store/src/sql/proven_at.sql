-- With max(), SQLite takes the other columns from the row that has it.
SELECT database, at, max(seq)
FROM events
WHERE migration = ?1 AND seq <= ?2 AND database IS NOT NULL AND kind IN ('syncing_proven', 'done_proven')
GROUP BY database
