read -r count
read -r -d '' -a numbers

sum=0 largest=${numbers[0]}
for number in "${numbers[@]:0:count}"; do
  ((sum += number))
  ((number > largest)) && largest=$number
done
echo "sum: $sum"
echo "largest: $largest"
printf 'mean: %d.%02d\n' $((sum / count)) $((sum * 100 / count % 100))
