const kept: ArrayBuffer = new ArrayBuffer(2 ** 43);
console.log(kept.byteLength);
