use strict;
use warnings;

my $n = 100;

sub element {
    my ($i, $j) = @_;
    return 1 / (($i + $j) * ($i + $j + 1) / 2 + $i + 1);
}

sub multiply {
    my ($vector, $transposed) = @_;
    return map {
        my $i   = $_;
        my $sum = 0;
        $sum += ($transposed ? element($_, $i) : element($i, $_)) * $vector->[$_] for 0 .. $n - 1;
        $sum;
    } 0 .. $n - 1;
}

sub multiply_both {
    my @between = multiply($_[0], 0);
    return multiply(\@between, 1);
}

my @u = (1) x $n;
my @v;
for (1 .. 10) {
    @v = multiply_both(\@u);
    @u = multiply_both(\@v);
}
my ($uv, $vv) = (0, 0);
for (0 .. $n - 1) {
    $uv += $u[$_] * $v[$_];
    $vv += $v[$_]**2;
}
printf "%.9f\n", sqrt($uv / $vv);
