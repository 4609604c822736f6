<?php

const VARIANTS = [
    'agggtaaa|tttaccct', '[cgt]gggtaaa|tttaccc[acg]', 'a[act]ggtaaa|tttacc[agt]t',
    'agg[act]taaa|ttta[agt]cct', 'ag[act]gtaaa|tttac[agt]ct', 'ata[cg]t', 'gg+t?a',
];
const CODES = ['tHa[Nt]' => '<4>', 'aND|caN|Ha[DS]|WaS' => '<3>', 'a[NSt]|BY' => '<2>', '[BDHKMNRSVWY]' => '*'];

$text = stream_get_contents(STDIN);
$bare = preg_replace('/>.*\n|\n/', '', $text);
foreach (VARIANTS as $variant) {
    echo $variant, ' ', preg_match_all("/$variant/", $bare), "\n";
}
$replaced = $bare;
foreach (CODES as $pattern => $code) {
    $replaced = preg_replace("/$pattern/", $code, $replaced);
}
echo "\n", strlen($text), "\n", strlen($bare), "\n", strlen($replaced), "\n";
