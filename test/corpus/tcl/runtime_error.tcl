puts "before"
error "the harbour is closed"
