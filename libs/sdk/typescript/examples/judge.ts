// Judges a submission in C++ by test cases, and shows what came of each.
import { Drydock } from '@drydock/sdk';

const source = `
#include <iostream>
int main() { long long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }
`;

using drydock = new Drydock();
const job = await drydock.executions.submit({
  language: 'cpp',
  source,
  testCases: [
    { name: 'small', stdin: '1 2', expectedOutput: '3' },
    { name: 'large', stdin: '4000000000 4000000000', expectedOutput: '8000000000' },
  ],
  limits: { cpuTime: '2s', memoryBytes: 256 * 1024 * 1024 },
});
const { verdict, cases, compile } = await job.wait();
if (verdict === 'COMPILE_ERROR') console.log(compile?.stderr);
for (const { name, verdict } of cases) console.log(name, verdict);
console.log(verdict);
