import { createInterface } from 'node:readline';

async function main(): Promise<void> {
  const counts = new Map<string, number>();
  for await (const line of createInterface({ input: process.stdin })) {
    for (const [word] of line.toLowerCase().matchAll(/[a-z]+/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  for (const [word, count] of sorted) console.log(`${word} ${count}`);
}

main();
