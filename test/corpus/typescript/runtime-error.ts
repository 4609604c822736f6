type Harbour = { berths: number };

console.log('before');
const harbours = new Map<string, Harbour>();
console.log(harbours.get('Kiel')!.berths);
