use strict;
use warnings;

print "before\n";
die "the harbour is closed\n";
