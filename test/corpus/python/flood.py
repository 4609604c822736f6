while True:
    print("harbour")
