local count = io.read("*n")
local sum, largest = 0, -math.huge
for _ = 1, count do
  local number = io.read("*n")
  sum = sum + number
  largest = math.max(largest, number)
end
print("sum: " .. sum)
print("largest: " .. largest)
print(string.format("mean: %.2f", sum / count))
