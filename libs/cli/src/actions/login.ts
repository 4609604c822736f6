import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { parse, stringify } from 'smol-toml';
import { configFile } from '../../../sdk/typescript/src/config.ts';
import { DEFAULT_URL } from '../../../sdk/typescript/src/settings.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Failure } from '../failures.ts';
import { printable } from '../printable.ts';

/** Tries a key and stores it. */
export async function login(context: Context): Promise<number> {
  const { url = process.env.DRYDOCK_URL || DEFAULT_URL, profile = 'default' } = context.options;
  const file = configFile();
  const config = await readConfig(file);
  const apiKey = await readKey(context.signal);
  if (!apiKey) throw new Failure('no key was given', `'drydock keys create NAME' makes one.`);
  const { Drydock } = await import('../../../sdk/typescript/src/index.ts');
  using drydock = new Drydock({ url, apiKey });
  await drydock.templates.list({ signal: context.signal, requestTimeout: '30s' }).toArray({ limit: 1 });
  config.profiles = { ...config.profiles, [profile]: { url, api_key: apiKey } };
  await writeConfig(file, config);
  const use = profile === 'default' ? '' : `; use it by --profile ${profile}`;
  process.stderr.write(`${printable(`logged in to ${url}, as profile '${profile}' of ${file}${use}`)}\n`);
  return EXIT.ok;
}

type Config = { profiles?: Record<string, Record<string, string>> };

async function readConfig(file: string): Promise<Config> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw cause;
  }
  try {
    return parse(text) as Config;
  } catch (cause) {
    // Without the parser's message: it shows the line, which may hold a key.
    const line = (cause as { line?: number }).line ?? '?';
    throw new Failure(`${file} is not TOML (line ${line})`, 'Mend it, or move it away.');
  }
}

/** The old file stays whole until the new one is. */
async function writeConfig(file: string, config: Config): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const partial = `${file}.${randomUUID()}`;
  try {
    await writeFile(partial, stringify(config), { mode: 0o600, flag: 'wx' });
    await chmod(partial, 0o600);
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true });
    throw cause;
  }
}

async function readKey(signal: AbortSignal): Promise<string> {
  if (!process.stdin.isTTY) return firstLine(signal);
  const { default: password } = await import('@inquirer/password');
  try {
    const key = await password({ message: 'API key', mask: '*' }, { output: process.stderr, signal });
    return key.trim();
  } catch (error) {
    signal.throwIfAborted();
    if ((error as Error).name === 'ExitPromptError') process.kill(process.pid, 'SIGINT');
    throw error;
  }
}

async function firstLine(signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, signal });
  for await (const line of lines) return line.trim();
  return '';
}
