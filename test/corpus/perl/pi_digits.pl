use strict;
use warnings;
use Math::BigInt;

# Machin's formula in fixed point, with guard digits.
sub arctan_inverse {
    my ($x, $unity) = @_;
    my $term = $unity / $x;
    my $sum  = $term->copy;
    my $sign = -1;
    for (my $n = 3; ; $n += 2) {
        $term /= $x * $x;
        last if $term->is_zero;
        $sum += $term / $n * $sign;
        $sign = -$sign;
    }
    return $sum;
}

my $count = 100;
my $unity = Math::BigInt->new(10)->bpow($count + 10);
my $pi    = (arctan_inverse(5, $unity) * 4 - arctan_inverse(239, $unity)) * 4;
my $at    = 0;
for my $digits (substr($pi->bstr, 0, $count) =~ /.{10}/g) {
    $at += 10;
    print "$digits\t:$at\n";
}
