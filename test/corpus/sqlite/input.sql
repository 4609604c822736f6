CREATE TABLE lines (line TEXT);
.import /dev/stdin lines

CREATE VIEW words AS
SELECT row_number() OVER (ORDER BY lines.rowid, key) AS position, value
FROM lines, json_each('[' || replace(line, ' ', ',') || ']');

CREATE VIEW numbers AS
SELECT value FROM words WHERE position BETWEEN 2 AND 1 + (SELECT value FROM words WHERE position = 1);

SELECT 'sum: ' || sum(value) FROM numbers;
SELECT 'largest: ' || max(value) FROM numbers;
SELECT printf('mean: %.2f', avg(value)) FROM numbers;
