def berth(ship):
    return "berth of " + ship

print(berth("Gorch Fock")
