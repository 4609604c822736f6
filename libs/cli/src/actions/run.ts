import type { Execution, Program } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { write } from '../output.ts';
import { printableLines } from '../printable.ts';
import { showBytes, showMs } from '../units.ts';
import { type ProgramOptions, readInput, readProgram } from './program-source.ts';
import { untilChanged } from './watch.ts';

type RunOptions = ProgramOptions & { stdin: boolean; watch?: boolean; stats?: boolean };

/** Runs a program: output as it comes, the exit code last. */
export async function run(context: Context, file: string, args: string[], options: RunOptions): Promise<number> {
  const drydock = await context.connect();
  const input = options.stdin && file !== '-' ? await readInput() : undefined;
  const once = async (signal: AbortSignal): Promise<number> => {
    const program = {
      ...(await readProgram(drydock, file, options, signal)),
      arguments: args,
      ...(input === undefined ? {} : { stdin: input }),
    };
    return runOnce(context, program, signal, options.stats ?? false);
  };
  if (!options.watch) return once(context.signal);
  const files = [file, ...(options.include ?? [])];
  return untilChanged(files, context.signal, once);
}

async function runOnce(context: Context, program: Program, signal: AbortSignal, stats: boolean): Promise<number> {
  const drydock = await context.connect();
  const { output } = context;
  // Asked for as data, the output is a part of it.
  if (output.asked && output.asked !== 'table') {
    const execution = await drydock.executions.run(program, { signal });
    await output.data(execution);
    return exitCodeOfRun(execution);
  }
  for await (const event of drydock.executions.stream(program, { signal })) {
    if (event.type === 'stdout') await write(process.stdout, event.data, signal);
    if (event.type === 'stderr') await write(process.stderr, event.data, signal);
    if (event.type !== 'finished') continue;
    tellEnd(event.execution, stats);
    return exitCodeOfRun(event.execution);
  }
  return EXIT.failed;
}

function tellEnd(
  { compile, verdict, usage, message, signal, stdoutTruncated, stderrTruncated }: Execution,
  stats: boolean,
): void {
  const lines: string[] = [];
  const compiler = `${compile?.stdout ?? ''}${compile?.stderr ?? ''}`.trimEnd();
  if (compiler) lines.push(printableLines(compiler));
  const ended = ENDS[verdict ?? ''];
  if (ended) lines.push(`drydock: ${ended}`);
  else if (signal) lines.push(`drydock: the program was ended by ${signal}`);
  if (verdict === 'INTERNAL_ERROR' && message) lines.push(printableLines(message));
  if ((stdoutTruncated || stderrTruncated) && verdict !== 'OUTPUT_EXCEEDED') lines.push('drydock: its output was cut');
  if (stats && usage)
    lines.push(
      `${verdict} in ${showMs(usage.wallTimeMs)}, CPU ${showMs(usage.cpuTimeMs)}, memory ${showBytes(usage.peakMemoryBytes)}`,
    );
  if (lines.length > 0) process.stderr.write(`${lines.join('\n')}\n`);
}

/** Ends that the program's own output does not tell. */
const ENDS: Readonly<Record<string, string>> = {
  COMPILE_ERROR: 'the program did not compile',
  CPU_TIME_EXCEEDED: 'the program used more CPU time than it may (--time)',
  WALL_TIME_EXCEEDED: 'the program took longer than it may (--time)',
  MEMORY_EXCEEDED: 'the program used more memory than it may (--memory)',
  OUTPUT_EXCEEDED: 'the program wrote more than it may',
  CANCELLED: 'the program was cancelled',
  INTERNAL_ERROR: 'the platform could not run the program; try again',
};

function exitCodeOfRun({ verdict, exitCode, signal }: Execution): number {
  if (verdict === 'COMPILE_ERROR') return EXIT.notCompiled;
  if (verdict === 'CPU_TIME_EXCEEDED' || verdict === 'WALL_TIME_EXCEEDED') return EXIT.timeLimit;
  if (verdict === 'INTERNAL_ERROR' || verdict === 'CANCELLED' || !verdict) return EXIT.failed;
  return exitCodeOf({ exitCode, signal });
}
