(byte-array 2000000000)
