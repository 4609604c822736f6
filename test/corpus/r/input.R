words <- scan("stdin", quiet = TRUE)
numbers <- words[-1][seq_len(words[1])]
cat(sprintf("sum: %d\nlargest: %d\nmean: %.2f\n", sum(numbers), max(numbers), mean(numbers)))
