# Machin's formula in fixed point, with guard digits.
def arctan_inverse(x, unity)
  term = unity / x
  sum = term
  sign = -1
  3.step(by: 2) do |n|
    term /= x * x
    break if term.zero?

    sum += sign * (term / n)
    sign = -sign
  end
  sum
end

count = 100
unity = 10**(count + 10)
pi = 4 * (4 * arctan_inverse(5, unity) - arctan_inverse(239, unity))
pi.to_s[0, count].scan(/.{10}/).each.with_index(1) { |digits, i| puts "#{digits}\t:#{i * 10}" }
