String.duplicate("x", 2 ** 45)
