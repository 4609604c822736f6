console.log('before');
const harbour = undefined;
console.log(harbour.berths);
