LIMIT = 5000

sieve = Array.new(LIMIT + 1, true)
primes = (2..LIMIT).select do |i|
  (i * i).step(LIMIT, i) { |j| sieve[j] = false } if sieve[i]
  sieve[i]
end
puts "#{primes.size} primes up to #{LIMIT}, the last is #{primes.last}"
