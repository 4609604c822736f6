PRAGMA hard_heap_limit = 50000000;
SELECT length(zeroblob(100000000));
CREATE TABLE kept AS SELECT hex(randomblob(50000000));
