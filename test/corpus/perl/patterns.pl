use strict;
use warnings;

my @variants = qw(
    agggtaaa|tttaccct [cgt]gggtaaa|tttaccc[acg] a[act]ggtaaa|tttacc[agt]t
    agg[act]taaa|ttta[agt]cct ag[act]gtaaa|tttac[agt]ct ata[cg]t gg+t?a
);
my @codes = (['tHa[Nt]', '<4>'], ['aND|caN|Ha[DS]|WaS', '<3>'], ['a[NSt]|BY', '<2>'], ['[BDHKMNRSVWY]', '*']);

my $text = do { local $/; <STDIN> };
(my $bare = $text) =~ s/>.*\n|\n//g;
for my $variant (@variants) {
    my $count = () = $bare =~ /$variant/g;
    print "$variant $count\n";
}
my $replaced = $bare;
for (@codes) {
    my ($pattern, $code) = @$_;
    $replaced =~ s/$pattern/$code/g;
}
print "\n", join("\n", map length, $text, $bare, $replaced), "\n";
