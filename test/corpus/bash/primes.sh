limit=5000
declare -a composite
count=0
for ((i = 2; i <= limit; i++)); do
  ((composite[i])) && continue
  ((count++))
  last=$i
  for ((j = i * i; j <= limit; j += i)); do composite[j]=1; done
done
echo "$count primes up to $limit, the last is $last"
