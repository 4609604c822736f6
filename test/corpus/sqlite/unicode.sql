CREATE TABLE lines (line TEXT);
.import /dev/stdin lines

SELECT 'Ahoj, světe ✓';

WITH RECURSIVE reversing (id, line, rest, reversed) AS (
  SELECT rowid, line, line, '' FROM lines
  UNION ALL
  SELECT id, line, substr(rest, 2), substr(rest, 1, 1) || reversed FROM reversing WHERE rest <> ''
)
SELECT length(line) || ' ' || reversed FROM reversing WHERE rest = '' ORDER BY id;
