(display "before")
(newline)
(error "the harbour is closed")
