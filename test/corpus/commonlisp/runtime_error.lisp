(format t "before~%")
(error "the harbour is closed")
