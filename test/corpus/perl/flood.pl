print "harbour\n" while 1;
