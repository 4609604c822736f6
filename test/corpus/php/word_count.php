<?php

preg_match_all('/[a-z]+/', strtolower(stream_get_contents(STDIN)), $words);
$counts = array_count_values($words[0]);
uksort($counts, fn ($a, $b) => [$counts[$b], $a] <=> [$counts[$a], $b]);
foreach ($counts as $word => $count) {
    echo "$word $count\n";
}
