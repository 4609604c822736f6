(display "before")
(newline)
(error 'port "the harbour is closed")
