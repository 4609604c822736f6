gets stdin count
set numbers [concat {*}[split [read stdin] "\n"]]
set sum [expr [join $numbers +]]
puts "sum: $sum"
puts "largest: [lindex [lsort -integer $numbers] end]"
puts [format "mean: %.2f" [expr {double($sum) / $count}]]
