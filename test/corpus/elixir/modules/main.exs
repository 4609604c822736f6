Code.require_file("shapes.exs", __DIR__)

for {name, _} = shape <- [square: 3, circle: 2] do
  IO.puts("#{name}: #{:erlang.float_to_binary(Shapes.area(shape), decimals: 2)}")
end
