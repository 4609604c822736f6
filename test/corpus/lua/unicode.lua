print("Ahoj, světe ✓")
for line in io.lines() do
  local reversed = {}
  for _, code in utf8.codes(line) do
    table.insert(reversed, 1, utf8.char(code))
  end
  print(utf8.len(line) .. " " .. table.concat(reversed))
end
