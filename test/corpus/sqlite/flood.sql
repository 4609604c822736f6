WITH RECURSIVE lines(words) AS (SELECT 'harbour' UNION ALL SELECT words FROM lines) SELECT words FROM lines;
