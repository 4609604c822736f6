// The loop of an agent: it writes a program, runs its test, and mends the program until the test passes.
import { Sandbox } from '@drydock/sdk';

/** In place of a model: each answer is the next try. */
const tries = ['def add(a, b): return a', 'def add(a, b): return a + b'];

await using sandbox = await Sandbox.create('python', { lifetime: '10m' });
await sandbox.files.write(
  'test.py',
  'from program import add\nassert add(2, 3) == 5, "add(2, 3) is not 5"\nprint("passed")\n',
);
for (const [at, program] of tries.entries()) {
  await sandbox.files.write('program.py', program);
  const { success, stdout, stderr } = await sandbox.commands.run(['python3', 'test.py'], { timeout: '30s' });
  console.log(`try ${at + 1}: ${success ? stdout.trim() : stderr.trim().split('\n').at(-1)}`);
  if (success) break;
}
