BEGIN { print "berths: " (12 }
