[inputs] | .[0] as $count | .[1:] as $numbers
| ($numbers | add) as $sum
| ($sum / $count * 100 | round) as $mean
| "sum: \($sum)", "largest: \($numbers | max)", "mean: \($mean / 100 | floor).\($mean % 100)"
