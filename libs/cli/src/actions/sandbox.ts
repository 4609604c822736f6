import type { CommandInfo, Duration, SandboxInfo, SandboxState } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Failure } from '../failures.ts';
import { type Column, state } from '../output.ts';
import { showBytes } from '../units.ts';
import { follow } from './exec.ts';

type CreateOptions = {
  lifetime?: Duration;
  memory?: number;
  disk?: number;
  cpus?: number;
  processes?: number;
  env?: Record<string, string>;
  label?: Record<string, string>;
  quiet?: boolean;
};
type ListOptions = { state?: SandboxState[]; label?: Record<string, string>; quiet?: boolean; limit: number };

const COLUMNS: readonly Column<SandboxInfo>[] = [
  ['id', (sandbox) => sandbox.id],
  ['template', (sandbox) => sandbox.template],
  ['state', (sandbox) => state(sandbox.state)],
  ['expires', (sandbox) => (sandbox.state === 'STOPPED' ? '' : sandbox.expireTime)],
  ['labels', (sandbox) => labelsOf(sandbox.metadata)],
];
const DETAILS: readonly Column<SandboxInfo>[] = [
  ...COLUMNS,
  ['stopped because', (sandbox) => sandbox.stopReason],
  ['memory', ({ limits }) => limits.memoryBytes && showBytes(limits.memoryBytes)],
  ['disk', ({ limits }) => limits.diskBytes && showBytes(limits.diskBytes)],
  ['cpus', ({ limits }) => limits.cpus],
  ['processes', ({ limits }) => limits.processes],
  ['created', (sandbox) => sandbox.createTime],
];
const PROCESS_COLUMNS: readonly Column<CommandInfo>[] = [
  ['id', (command) => command.id],
  ['pid', (command) => command.pid],
  ['state', (command) => state(command.running ? 'RUNNING' : 'STOPPED')],
  ['ended with', (command) => command.exitCode ?? command.signal],
  ['command', (command) => command.command.join(' ')],
];

function labelsOf(metadata: Readonly<Record<string, string>>): string {
  return Object.entries(metadata)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

export async function create(context: Context, template: string, options: CreateOptions): Promise<number> {
  const drydock = await context.connect();
  const { lifetime, memory, disk, cpus, processes, env, label, quiet } = options;
  const limits = {
    ...(memory ? { memoryBytes: memory } : {}),
    ...(disk ? { diskBytes: disk } : {}),
    ...(cpus ? { cpus } : {}),
    ...(processes ? { processes } : {}),
  };
  const { info } = await drydock.sandboxes.create(template, {
    signal: context.signal,
    limits,
    ...(lifetime ? { lifetime } : {}),
    ...(env ? { environment: env } : {}),
    ...(label ? { metadata: label } : {}),
  });
  if (quiet) await context.output.print(`${info.id}\n`);
  else await context.output.one(info, DETAILS);
  return EXIT.ok;
}

export async function list(context: Context, options: ListOptions): Promise<number> {
  const drydock = await context.connect();
  const { state: states = ['PENDING', 'RUNNING', 'PAUSED'], label = {}, quiet, limit } = options;
  const sandboxes = drydock.sandboxes.list({ states, metadata: label, signal: context.signal });
  if (!quiet) await context.output.many(sandboxes, COLUMNS, limit);
  else for (const { id } of await sandboxes.toArray({ limit })) await context.output.print(`${id}\n`);
  return EXIT.ok;
}

export async function get(context: Context, id: string): Promise<number> {
  const drydock = await context.connect();
  await context.output.one(await drydock.sandboxes.get(id, { signal: context.signal }), DETAILS);
  return EXIT.ok;
}

/** All are tried; the first that could not be deleted is the failure. */
export async function remove(context: Context, ids: string[]): Promise<number> {
  const drydock = await context.connect();
  const outcomes = await Promise.allSettled(
    ids.map(async (id) => {
      const existed = await drydock.sandboxes.kill(id, { signal: context.signal });
      if (!existed)
        throw new Failure(`there is no sandbox ${id}`, `'drydock sandbox list' shows those that there are.`);
    }),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
  return EXIT.ok;
}

export async function extend(context: Context, id: string, lifetime: Duration): Promise<number> {
  const drydock = await context.connect();
  const sandbox = await drydock.sandboxes.connect(id, { signal: context.signal });
  await context.output.one(await sandbox.update({ lifetime, signal: context.signal }), COLUMNS);
  return EXIT.ok;
}

export async function processes(context: Context, id: string): Promise<number> {
  const drydock = await context.connect();
  const sandbox = await drydock.sandboxes.connect(id, { signal: context.signal });
  const commands = await sandbox.commands.list({ signal: context.signal });
  await context.output.many(each(commands), PROCESS_COLUMNS, commands.length);
  return EXIT.ok;
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items;
}

/** Reads a command's output to its end. Leaving it ends the reading, not the command. */
export async function logs(context: Context, id: string, processId: string | undefined): Promise<number> {
  const drydock = await context.connect();
  const { signal } = context;
  const sandbox = await drydock.sandboxes.connect(id, { signal });
  const last = processId ?? (await sandbox.commands.list({ signal })).at(-1)?.id;
  if (!last)
    throw new Failure(
      'no command runs, or ended within the last minute',
      `'drydock exec ${id} -- COMMAND' starts one.`,
    );
  await follow(context, await sandbox.commands.connect(last, { signal, keptBytes: 0 }));
  return EXIT.ok;
}
