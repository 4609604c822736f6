const kept: Uint8Array[] = [];
while (true) kept.push(new Uint8Array(1 << 20).fill(7));
