console.log(new ArrayBuffer(2 ** 43).byteLength);
