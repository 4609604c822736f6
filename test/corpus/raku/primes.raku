my $limit = 5000;
my @primes = (2 .. $limit).grep(*.is-prime);
say "{@primes.elems} primes up to $limit, the last is @primes[*-1]";
