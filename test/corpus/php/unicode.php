<?php

echo "Ahoj, světe ✓\n";
while (($line = fgets(STDIN)) !== false) {
    $characters = preg_split('//u', rtrim($line, "\n"), -1, PREG_SPLIT_NO_EMPTY);
    echo count($characters), ' ', implode('', array_reverse($characters)), "\n";
}
