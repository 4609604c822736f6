read count
numbers=($(cat))
integer sum=0 largest=numbers[1]
for n in $numbers; do
  (( sum += n ))
  (( n > largest )) && largest=n
done
print "sum: $sum"
print "largest: $largest"
printf "mean: %.2f\n" $(( 1.0 * sum / count ))
