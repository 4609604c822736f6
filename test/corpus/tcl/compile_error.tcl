puts "before
proc berth {ship} {
