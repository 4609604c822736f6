harbour() {
  print "Kiel"
