use strict;
use warnings;

my $sequence = '';
while (my $line = <STDIN>) {
    if ($line =~ /^>THREE/ .. 0) {
        next if $line =~ /^>/;
        chomp $line;
        $sequence .= uc $line;
    }
}

sub frequencies {
    my ($length) = @_;
    my %counts;
    $counts{substr $sequence, $_, $length}++ for 0 .. length($sequence) - $length;
    return \%counts;
}

for my $length (1, 2) {
    my $counts = frequencies($length);
    my $total  = length($sequence) - $length + 1;
    for my $key (sort { $counts->{$b} <=> $counts->{$a} || $a cmp $b } keys %$counts) {
        printf "%s %.3f\n", $key, 100 * $counts->{$key} / $total;
    }
    print "\n";
}
for my $key (qw(GGT GGTA GGTATT GGTATTTTAATT)) {
    printf "%d\t%s\n", frequencies(length $key)->{$key} // 0, $key;
}
