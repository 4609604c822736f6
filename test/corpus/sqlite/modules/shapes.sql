CREATE TABLE shapes (name TEXT PRIMARY KEY, area REAL NOT NULL);
INSERT INTO shapes VALUES ('square', pow(3, 2)), ('circle', pi() * pow(2, 2));
