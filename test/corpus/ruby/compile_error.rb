def berth(ship)
  "berth of #{ship}"

puts berth("Gorch Fock")
