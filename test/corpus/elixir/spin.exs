Stream.cycle([:harbour]) |> Stream.run()
