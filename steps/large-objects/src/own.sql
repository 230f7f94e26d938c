-- Which of the large objects with these oids ($1) the transactions with these ids ($2) have written. What is in braces stands
-- in own_content.sql.
SELECT m.oid,
       m.xmin::text = ANY ($2::text[]) AS object,
       {content} AS content
  FROM pg_catalog.pg_largeobject_metadata m
 WHERE m.oid = ANY ($1::oid[])
