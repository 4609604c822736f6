io.read(1 << 45)
