use strict;
use warnings;

my $size = 1 << 45;
my $kept = 'x' x $size;
