use strict;
use warnings;

my $size = 1 << 20;
my @kept;
push @kept, 'x' x $size while 1;
