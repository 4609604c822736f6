use strict;
use warnings;
use List::Util qw(max sum);

my ($count, @numbers) = map { split } <STDIN>;
splice @numbers, $count;
printf "sum: %d\nlargest: %d\nmean: %.2f\n", sum(@numbers), max(@numbers), sum(@numbers) / $count;
