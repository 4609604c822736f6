repeat cat("harbour\n")
