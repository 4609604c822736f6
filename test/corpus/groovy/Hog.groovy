def kept = []
while (true) kept << 'x'.repeat(1 << 20)
