cat("Ahoj, světe ✓\n")
for (line in readLines("stdin")) {
  characters <- strsplit(line, "")[[1]]
  cat(nchar(line), paste(rev(characters), collapse = ""))
  cat("\n")
}
