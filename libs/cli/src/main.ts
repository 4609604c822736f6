#!/usr/bin/env node
import { CommanderError } from 'commander';
import { createContext, type GlobalOptions, type Work } from './context.ts';
import { describe } from './describe.ts';
import { EXIT } from './exit-codes.ts';
import { Interrupted, OutputClosed } from './failures.ts';
import { createProgram } from './program.ts';

const stopping = new AbortController();
let exitCode: number = EXIT.ok;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    // The first ends what runs on the platform. Who asks again does not wait for that.
    if (stopping.signal.aborted) process.exit(describe(new Interrupted(signal)).exitCode);
    stopping.abort(new Interrupted(signal));
  });
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    stopping.abort(error.code === 'EPIPE' ? new OutputClosed() : error);
  });

const completes = process.argv[2] === 'complete';
const program = await createProgram(perform, { completes });
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else exitCode = tell(error);
}
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit(exitCode);

/** Runs a command to its end, whatever ends it. */
async function perform(work: Work): Promise<void> {
  const context = createContext(program.opts<GlobalOptions>(), stopping.signal);
  try {
    exitCode = (await work(context)) ?? EXIT.ok;
  } catch (error) {
    exitCode = tell(stopping.signal.aborted ? stopping.signal.reason : error);
  }
  try {
    await context.close();
  } catch (error) {
    exitCode = tell(error);
  }
}

function tell(error: unknown): number {
  const { lines, exitCode } = describe(error);
  if (lines.length > 0) process.stderr.write(`${lines.join('\n')}\n`);
  return exitCode;
}

/** A pipe takes what was written before the process ends; one that nobody reads has failed by then. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (!stream.writable) resolve();
    else stream.write('', () => resolve());
  });
}
