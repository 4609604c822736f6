import { createInterface } from 'node:readline/promises';

console.log('Ahoj, světe ✓');
await Promise.resolve();
for await (const line of createInterface({ input: process.stdin })) {
  const characters: string[] = [...line];
  console.log(characters.length, characters.reverse().join(''));
}
