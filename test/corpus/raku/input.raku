my $count = +get;
my @numbers = lines.map(*.words).flat.map(+*);
say "sum: ", @numbers.sum;
say "largest: ", @numbers.max;
printf "mean: %.2f\n", @numbers.sum / $count;
