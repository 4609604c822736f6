bytearray(1 << 45)
