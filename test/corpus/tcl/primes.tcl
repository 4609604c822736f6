set limit 5000
set count 0
for {set i 2} {$i <= $limit} {incr i} {
  if {[info exists composite($i)]} continue
  incr count
  set last $i
  for {set j [expr {$i * $i}]} {$j <= $limit} {incr j $i} {set composite($j) 1}
}
puts "$count primes up to $limit, the last is $last"
