print("before")
local harbour
print(harbour.berths)
