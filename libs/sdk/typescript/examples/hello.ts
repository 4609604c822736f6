// Runs a program, and says what became of it.
import { Drydock } from '@drydock/sdk';

using drydock = new Drydock();
const { verdict, stdout, usage } = await drydock.run('python', 'print(6 * 7)');
console.log(verdict, stdout.trim());
console.error(`${usage?.cpuTimeMs} ms of CPU, ${usage?.peakMemoryBytes} bytes`);
