read count
set numbers (cat | string split ' ' | string match -v '')
set sum (math (string join -- + $numbers))
echo "sum: $sum"
echo "largest: "(math "max($(string join -- , $numbers))")
echo "mean: "(printf %.2f (math "$sum / $count"))
