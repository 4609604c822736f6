.output /dev/null
PRAGMA hard_heap_limit = 50000000;
.output stdout
CREATE TABLE kept AS SELECT hex(randomblob(50000000));
