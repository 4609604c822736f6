limit=5000 count=0
typeset -A composite
for ((i = 2; i <= limit; i++)); do
  (( ${composite[$i]:-0} )) && continue
  (( count++ ))
  last=$i
  for ((j = i * i; j <= limit; j += i)); do composite[$j]=1; done
done
print "$count primes up to $limit, the last is $last"
