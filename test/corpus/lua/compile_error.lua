for _, port in ipairs({ "Kiel", "Brest" }) do
  print(port)
