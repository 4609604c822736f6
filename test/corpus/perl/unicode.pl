use strict;
use warnings;
use utf8;
use open qw(:std :encoding(UTF-8));

print "Ahoj, světe ✓\n";
while (my $line = <STDIN>) {
    chomp $line;
    printf "%d %s\n", length $line, scalar reverse $line;
}
