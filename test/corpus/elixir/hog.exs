Stream.repeatedly(fn -> String.duplicate("x", 1_048_576) end) |> Enum.to_list()
