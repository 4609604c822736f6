print("before")
ports = ["Kiel", "Brest"]
print(ports[2])
