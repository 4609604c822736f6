.read shapes.sql

SELECT printf('%s: %.2f', name, area) FROM shapes ORDER BY area;
