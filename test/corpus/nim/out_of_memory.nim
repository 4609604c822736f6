echo newString(1 shl 45).len
