BEGIN {
    kept = "harbour"
    while (1) kept = kept kept
}
