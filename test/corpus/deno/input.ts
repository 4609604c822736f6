const text: string = await new Response(Deno.stdin.readable).text();
const [count, ...numbers] = text.trim().split(/\s+/).map(Number);
const sum: number = numbers.reduce((a, b) => a + b);
console.log(`sum: ${sum}`);
console.log(`largest: ${Math.max(...numbers)}`);
console.log(`mean: ${(sum / count).toFixed(2)}`);
