import type { Duration, Sandbox, Terminal } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { Failure, UsageError } from '../failures.ts';
import { createDetachKeys } from './detach-keys.ts';
import { createTyping } from './typing.ts';

type ShellOptions = { template?: string; lifetime?: Duration; keep?: boolean; join?: string | true };

/** The better shell of those that the sandbox has. */
const SHELL = ['/bin/sh', '-c', 'command -v bash >/dev/null && exec bash; exec sh'];
/** Leaves the other screen of a full-screen program, shows the cursor, and ends mouse reports, bracketed paste and colours. */
const RESET = '\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m';

/** A terminal in a sandbox, on the user's own. */
export async function shell(
  context: Context,
  first: string | undefined,
  rest: string[],
  options: ShellOptions,
): Promise<number> {
  const { template, lifetime = '1h', keep = false, join } = options;
  // With a template there is no id, and the first word is that of the command.
  const sandboxId = template ? undefined : first;
  const command = template && first ? [first, ...rest] : rest;
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new Failure('shell needs a terminal', `'drydock exec ID -- COMMAND' passes input and output on without one.`);
  if (!sandboxId === !template) throw new UsageError('Name a sandbox, or a template by --template.');
  if (join && (!sandboxId || command.length > 0)) throw new UsageError('--join needs a sandbox, and no command.');
  const drydock = await context.connect();
  const { signal } = context;
  const sandbox = sandboxId
    ? await drydock.sandboxes.connect(sandboxId, { signal })
    : await drydock.sandboxes.create(template!, { lifetime, keep: true, signal });
  let deletes = template !== undefined && !keep;
  context.defer(async () => {
    if (deletes) await sandbox.kill();
  });
  if (template && keep) process.stderr.write(`sandbox ${sandbox.id}\n`);
  const open = join ? joinTerminal(sandbox, join) : (show: Show) => openTerminal(sandbox, command, show, signal);
  const ended = await onTerminal(open, signal);
  if (ended !== 'detached') return ended;
  deletes = false;
  process.stderr.write(`${RESET}\r\nleft it running; 'drydock shell ${sandbox.id} --join' comes back\n`);
  return EXIT.ok;
}

type Show = (data: Uint8Array) => void;

function sizeOfTerminal(): { rows: number; columns: number } {
  const within = (size: number, otherwise: number) => Math.min(1_000, Math.max(1, size || otherwise));
  return { rows: within(process.stdout.rows, 24), columns: within(process.stdout.columns, 80) };
}

function openTerminal(sandbox: Sandbox, command: string[], show: Show, signal: AbortSignal): Promise<Terminal> {
  const { TERM = 'xterm-256color' } = process.env;
  return sandbox.pty.create({
    ...sizeOfTerminal(),
    command: command.length > 0 ? command : SHELL,
    environment: { TERM },
    onData: show,
    signal,
  });
}

function joinTerminal(sandbox: Sandbox, join: string | true): (show: Show) => Promise<Terminal> {
  return async (show) => {
    const running = (await sandbox.commands.list()).filter((each) => each.running);
    const id = join === true ? running.at(-1)?.id : join;
    if (!id) throw new Failure('nothing runs in the sandbox', `'drydock shell ${sandbox.id}' opens a terminal.`);
    return sandbox.pty.connect(id, { onData: show });
  };
}

/** Passes keys, output and size on until the program has ended, or the user leaves it. */
async function onTerminal(open: (show: Show) => Promise<Terminal>, signal: AbortSignal): Promise<number | 'detached'> {
  const { stdin, stdout } = process;
  const terminal = await open((data) => stdout.write(data));
  const typing = createTyping((data) => terminal.write(data));
  const resize = () => {
    terminal.resize(sizeOfTerminal()).catch(() => {
      // It has ended, which its `wait` tells.
    });
  };
  const left = Promise.withResolvers<'detached'>();
  const keys = createDetachKeys(typing.add, () => left.resolve('detached'));
  stdin.setRawMode(true);
  stdin.on('data', keys);
  stdout.on('resize', resize);
  resize();
  try {
    const ended = terminal.wait().then(exitCodeOf);
    return await Promise.race([ended, left.promise, typing.failed, rejectedBy(signal)]);
  } finally {
    stdout.off('resize', resize);
    stdin.off('data', keys);
    stdin.setRawMode(false);
    stdin.pause();
  }
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
