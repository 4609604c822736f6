kept <- raw(2^45)
