cat("before\n")
stop("the harbour is closed")
