import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as pty from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { inject } from 'vitest';

const { project, httpUrl } = inject('sdk');
/** As npm links it: the packed and installed command line. */
export const DRYDOCK = join(project, 'node_modules/.bin/drydock');

export type Environment = Record<string, string>;

/** What a user's shell has; the home is empty. */
export function environment(apiKey: string, more: Environment = {}): Environment {
  const path = `${join(process.execPath, '..')}:${process.env.PATH ?? ''}`;
  return { PATH: path, HOME: '/nowhere', DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey, ...more };
}

export type Ran = { stdout: string; stderr: string; exitCode: number | null };

/** Runs the command line without a terminal. Standard input is `input`, and then ends. */
export async function drydock(
  args: readonly string[],
  { env, input = '', cwd = project }: { env: Environment; input?: string | Uint8Array; cwd?: string },
): Promise<Ran> {
  const child = spawn(DRYDOCK, args, { env, cwd, stdio: 'pipe' });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (piece) => stdout.push(piece));
  child.stderr.on('data', (piece) => stderr.push(piece));
  // It may end without reading.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), exitCode };
}

type TerminalOptions = { env: Environment; columns?: number; rows?: number; cwd?: string; command?: string };

/** The command line on a terminal of its own, as a user sees it. */
export function openTerminal(args: readonly string[], options: TerminalOptions) {
  const { env, columns = 80, rows = 24, cwd = project, command = DRYDOCK } = options;
  const screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 1_000 });
  const size = { cols: columns, rows };
  const child = pty.spawn(command, [...args], {
    ...size,
    cwd,
    env: { TERM: 'xterm-256color', ...env },
    name: 'xterm-256color',
  });
  let raw = '';
  child.onData((data) => {
    raw += data;
    screen.write(data);
  });
  const ended = new Promise<number>((resolve) => {
    child.onExit(({ exitCode }) => screen.write('', () => resolve(exitCode)));
  });
  const text = () => {
    const { active } = screen.buffer;
    const lines = Array.from({ length: active.length }, (_, at) => active.getLine(at)!.translateToString(true));
    return lines.join('\n').trimEnd();
  };
  return {
    screen,
    text,
    /** All that was written to the terminal. */
    raw: () => raw,
    ended,
    type: (keys: string) => child.write(keys),
    /** As a terminal that is closed. */
    hangUp: () => child.kill('SIGHUP'),
    resize(to: { columns: number; rows: number }) {
      screen.resize(to.columns, to.rows);
      child.resize(to.columns, to.rows);
    },
    /** Waits until the screen shows something. Throws with the screen when the program ends without it. */
    async showing(what: string | RegExp): Promise<void> {
      const shown = () => (typeof what === 'string' ? text().includes(what) : what.test(text()));
      const { promise, resolve } = Promise.withResolvers<void>();
      const listener = screen.onWriteParsed(() => {
        if (shown()) resolve();
      });
      if (shown()) resolve();
      const over = ended.then(() => {
        if (!shown()) throw new Error(`it ended, and never showed ${what}:\n${text()}`);
      });
      try {
        await Promise.race([promise, over]);
      } finally {
        listener.dispose();
      }
    },
    async [Symbol.asyncDispose]() {
      try {
        child.kill('SIGKILL');
      } catch {
        // It has ended.
      }
      await ended;
      screen.dispose();
    },
  };
}

export async function temporaryDirectory() {
  const path = await mkdtemp(join(tmpdir(), 'drydock-cli-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
