import { Command, InvalidArgumentError } from 'commander';
import { generate } from '../build/generate.ts';
import { fuzz, lineOf } from './fuzz-targets.ts';

const say = (line: string) => process.stdout.write(`${line}\n`);

const command = new Command('npm run fuzz --')
  .description('Tries every fuzz target, and prints how often each was tried and what it found.')
  .option('--minutes <number>', 'how long each target is tried', readMinutes, 1)
  .parse();
const { minutes } = command.opts<{ minutes: number }>();

await generate(say);
const targets = await fuzz({ native: minutes * 60, property: minutes * 60 });
for (const target of targets) {
  say(lineOf(target));
  if (target.finds > 0) say(target.output);
}
process.exit(targets.some(({ finds }) => finds > 0) ? 1 : 0);

function readMinutes(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('must be a number above 0.');
  return value;
}
