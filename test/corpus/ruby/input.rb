count, *numbers = $stdin.read.split.map(&:to_i)
numbers = numbers.first(count)
puts "sum: #{numbers.sum}"
puts "largest: #{numbers.max}"
puts format("mean: %.2f", numbers.sum.fdiv(count))
