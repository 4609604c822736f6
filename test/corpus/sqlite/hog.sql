CREATE TABLE kept (bytes BLOB);

WITH RECURSIVE blocks (bytes) AS (
  SELECT randomblob(1048576)
  UNION ALL
  SELECT randomblob(1048576) FROM blocks
)
INSERT INTO kept SELECT bytes FROM blocks;
