set limit 5000
set sieve (string repeat -n $limit '1 ' | string split -n ' ')
set count 0
for i in (seq 2 $limit)
  test $sieve[$i] = 1; or continue
  set count (math $count + 1)
  set last $i
  for j in (seq (math "$i * $i") $i $limit)
    set sieve[$j] 0
  end
end
echo "$count primes up to $limit, the last is $last"
