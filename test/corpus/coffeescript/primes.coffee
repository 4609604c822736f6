limit = 5000
composite = new Set
primes = []
for i in [2..limit] when not composite.has i
  primes.push i
  composite.add j for j in [i * i..limit] by i if i * i <= limit
console.log "#{primes.length} primes up to #{limit}, the last is #{primes[primes.length - 1]}"
