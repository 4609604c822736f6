[count | rest] = IO.read(:stdio, :all) |> String.split() |> Enum.map(&String.to_integer/1)
numbers = Enum.take(rest, count)
sum = Enum.sum(numbers)

IO.puts("sum: #{sum}")
IO.puts("largest: #{Enum.max(numbers)}")
IO.puts("mean: #{:erlang.float_to_binary(sum / count, decimals: 2)}")
