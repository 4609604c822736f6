BEGIN { while (1) print "harbour" }
