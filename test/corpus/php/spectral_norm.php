<?php

declare(strict_types=1);

const N = 100;

function element(int $i, int $j): float
{
    return 1 / (intdiv(($i + $j) * ($i + $j + 1), 2) + $i + 1);
}

function multiply(array $vector, bool $transposed): array
{
    $product = [];
    for ($i = 0; $i < N; $i++) {
        $sum = 0.0;
        foreach ($vector as $j => $x) {
            $sum += ($transposed ? element($j, $i) : element($i, $j)) * $x;
        }
        $product[] = $sum;
    }
    return $product;
}

function multiplyBoth(array $vector): array
{
    return multiply(multiply($vector, false), true);
}

$u = array_fill(0, N, 1.0);
$v = [];
for ($i = 0; $i < 10; $i++) {
    $v = multiplyBoth($u);
    $u = multiplyBoth($v);
}
$uv = $vv = 0.0;
foreach ($v as $i => $x) {
    $uv += $u[$i] * $x;
    $vv += $x * $x;
}
printf("%.9f\n", sqrt($uv / $vv));
