IO.puts("Ahoj, světe ✓")

for line <- IO.stream(:stdio, :line), line = String.trim_trailing(line) do
  IO.puts("#{String.length(line)} #{String.reverse(line)}")
end
