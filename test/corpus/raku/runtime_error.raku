say "before";
die "the harbour is closed";
