import type { Execution, Job, Submission } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type Column, state } from '../output.ts';
import { showBytes, showMs } from '../units.ts';
import { type ProgramOptions, readLocal, readProgram } from './program-source.ts';

type SubmitOptions = ProgramOptions & {
  stdin?: string;
  expected?: string;
  comparison?: NonNullable<Submission['comparison']>;
  priority?: number;
  wait?: boolean;
  quiet?: boolean;
};

const COLUMNS: readonly Column<Execution>[] = [
  ['id', (execution) => execution.id],
  ['language', (execution) => execution.language || execution.template],
  ['state', (execution) => state(execution.state)],
  ['verdict', (execution) => state(execution.verdict)],
  ['time', ({ usage }) => usage && showMs(usage.wallTimeMs)],
  ['memory', ({ usage }) => usage && showBytes(usage.peakMemoryBytes)],
  ['created', (execution) => execution.createTime],
];

export async function submit(context: Context, file: string, args: string[], options: SubmitOptions): Promise<number> {
  const drydock = await context.connect();
  const { stdin, expected, comparison, priority, wait: waits, quiet } = options;
  const job = await drydock.executions.submit(
    {
      ...(await readProgram(drydock, file, options, context.signal)),
      arguments: args,
      ...(stdin ? { stdin: (await readLocal(stdin)).toString() } : {}),
      ...(expected ? { expectedOutput: (await readLocal(expected)).toString() } : {}),
      ...(comparison ? { comparison } : {}),
      ...(priority === undefined ? {} : { priority }),
    },
    { signal: context.signal },
  );
  if (waits) return waitForAll(context, [job]);
  if (quiet) await context.output.print(`${job.id}\n`);
  else await context.output.one(await job.get({ signal: context.signal }), COLUMNS);
  return EXIT.ok;
}

export async function wait(context: Context, ids: string[]): Promise<number> {
  const drydock = await context.connect();
  return waitForAll(
    context,
    ids.map((id) => drydock.executions.job(id)),
  );
}

async function waitForAll(context: Context, jobs: readonly Job[]): Promise<number> {
  const ended = await Promise.all(jobs.map((job) => job.wait({ signal: context.signal })));
  if (ended.length === 1) await context.output.one(ended[0]!, COLUMNS);
  else await context.output.many(each(ended), COLUMNS, ended.length);
  return ended.every(({ verdict }) => verdict === 'ACCEPTED') ? EXIT.ok : EXIT.unsuccessful;
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items;
}

export async function watch(context: Context, id: string): Promise<number> {
  const drydock = await context.connect();
  const { output, signal } = context;
  for await (const execution of drydock.executions.job(id).watch({ signal })) {
    if (output.format !== 'table') await output.line(execution);
    else await output.print(`${[execution.state, execution.verdict].filter(Boolean).join(' ')}\n`);
  }
  return EXIT.ok;
}

export async function cancel(context: Context, ids: string[]): Promise<number> {
  const drydock = await context.connect();
  const { signal } = context;
  const cancelled = await Promise.all(ids.map((id) => drydock.executions.job(id).cancel({ signal })));
  await context.output.many(each(cancelled), COLUMNS, cancelled.length);
  return EXIT.ok;
}

export async function get(context: Context, id: string): Promise<number> {
  const drydock = await context.connect();
  await context.output.one(await drydock.executions.get(id, { signal: context.signal }), COLUMNS);
  return EXIT.ok;
}

export async function output(context: Context, id: string, { stderr = false }: { stderr?: boolean }): Promise<number> {
  const drydock = await context.connect();
  const { signal } = context;
  await context.output.print(await drydock.executions.job(id).output(stderr ? 'stderr' : 'stdout', { signal }));
  return EXIT.ok;
}

export async function list(
  context: Context,
  options: { state?: Execution['state'][]; limit: number },
): Promise<number> {
  const drydock = await context.connect();
  const { state: states = [], limit } = options;
  await context.output.many(drydock.executions.list({ states, signal: context.signal }), COLUMNS, limit);
  return EXIT.ok;
}
