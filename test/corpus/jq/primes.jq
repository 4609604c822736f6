5000 as $limit
| reduce range(2; $limit + 1) as $i ({};
    if .composite[$i | tostring] then . else
      .count += 1 | .last = $i
      | reduce range($i * $i; $limit + 1; $i) as $j (.; .composite[$j | tostring] = true)
    end)
| "\(.count) primes up to \($limit), the last is \(.last)"
