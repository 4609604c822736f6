import type { CommandHandle, Duration, StartOptions } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { write } from '../output.ts';
import { printable } from '../printable.ts';

type ExecOptions = {
  env?: Record<string, string>;
  workdir?: string;
  timeout?: Duration;
  interactive?: boolean;
  detach?: boolean;
};

/** Runs a command in a sandbox: input, output and exit code are passed on. */
export async function exec(
  context: Context,
  sandboxId: string,
  command: string[],
  options: ExecOptions,
): Promise<number> {
  const drydock = await context.connect();
  const sandbox = await drydock.sandboxes.connect(sandboxId, { signal: context.signal });
  const { env, workdir, timeout, interactive = false, detach = false } = options;
  const start: StartOptions = {
    ...(env ? { environment: env } : {}),
    ...(workdir ? { workingDirectory: workdir } : {}),
    ...(timeout ? { timeout } : {}),
    // What is written is kept nowhere.
    keptBytes: 0,
  };
  if (detach) {
    const { id, pid } = await sandbox.commands.start(command, start);
    await context.output.one({ id, pid }, [
      ['process', (row) => row.id],
      ['pid', (row) => row.pid],
    ]);
    return EXIT.ok;
  }
  const openStdin = interactive || !process.stdin.isTTY;
  const handle = await sandbox.commands.start(command, { ...start, openStdin, signal: context.signal });
  const input = openStdin ? passInput(handle) : undefined;
  try {
    return await follow(context, handle);
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError' || !timeout) throw error;
    process.stderr.write(`drydock: ${printable((error as Error).message)}\n`);
    return EXIT.timeLimit;
  } finally {
    input?.stop();
  }
}

/** Shows what a command writes; its exit code last. */
export async function follow(context: Context, handle: CommandHandle): Promise<number> {
  for await (const event of handle) {
    if (event.type === 'stdout') await write(process.stdout, event.data, context.signal);
    if (event.type === 'stderr') await write(process.stderr, event.data, context.signal);
    if (event.type === 'exit') return exitCodeOf(event.result);
  }
  return EXIT.failed;
}

/** Passes standard input on as fast as the command takes it. A command that has ended, or closed its input, needs no more. */
function passInput(handle: CommandHandle): { stop(): void } {
  const pass = async () => {
    for await (const piece of process.stdin as AsyncIterable<Buffer>) await handle.stdin.write(piece);
    await handle.stdin.close();
  };
  let stopped = false;
  pass().catch((error) => {
    const unneeded = ['PROCESS_ENDED', 'PROCESS_INPUT_CLOSED', 'PROCESS_NOT_FOUND'].includes(error.reason);
    if (!stopped && !unneeded) process.stderr.write(`drydock: input was lost: ${printable(error.message)}\n`);
  });
  return {
    stop() {
      stopped = true;
      process.stdin.destroy();
    },
  };
}
