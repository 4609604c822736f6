local SIZE <const> = 60

local function stays(re, im)
  local x, y = 0.0, 0.0
  for _ = 1, 50 do
    x, y = x * x - y * y + re, 2 * x * y + im
    if x * x + y * y > 4 then return false end
  end
  return true
end

print(("P1\n%d %d"):format(SIZE, SIZE))
for row = 0, SIZE - 1 do
  local line = {}
  for column = 0, SIZE - 1 do
    line[#line + 1] = stays(2 * column / SIZE - 1.5, 2 * row / SIZE - 1) and "1" or "0"
  end
  print(table.concat(line))
end
