N = 7

def count_flips(permutation)
  scratch = permutation.dup
  flips = 0
  until scratch[0].zero?
    last = scratch[0]
    scratch[0..last] = scratch[0..last].reverse
    flips += 1
  end
  flips
end

def step(permutation, counts)
  1.upto(N - 1) do |i|
    permutation.insert(i, permutation.shift)
    counts[i] += 1
    return true if counts[i] <= i

    counts[i] = 0
  end
  false
end

permutation = (0...N).to_a
counts = Array.new(N, 0)
checksum = most = 0
sign = 1
loop do
  flips = count_flips(permutation)
  checksum += sign * flips
  sign = -sign
  most = flips if flips > most
  break unless step(permutation, counts)
end
puts checksum, "Pfannkuchen(#{N}) = #{most}"
