use strict;
use warnings;

print "$harbour\n";
