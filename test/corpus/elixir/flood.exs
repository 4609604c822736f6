Stream.cycle(["harbour"]) |> Enum.each(&IO.puts/1)
