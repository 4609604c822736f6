while true do print("harbour") end
