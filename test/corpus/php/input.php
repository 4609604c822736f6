<?php

[$count] = fscanf(STDIN, '%d');
$numbers = array_map('intval', preg_split('/\s+/', trim(stream_get_contents(STDIN))));
$numbers = array_slice($numbers, 0, $count);
printf("sum: %d\nlargest: %d\nmean: %.2f\n", array_sum($numbers), max($numbers), array_sum($numbers) / $count);
