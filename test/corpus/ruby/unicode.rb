puts "Ahoj, světe ✓"
$stdin.each_line(chomp: true) { |line| puts "#{line.length} #{line.reverse}" }
