import { createHash } from 'node:crypto';
import { createReadStream, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, matchesGlob } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FileInfo, Sandbox } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Failure, UsageError } from '../failures.ts';
import { startBar } from '../progress.ts';
import { eachOf, filesBelow } from './cp.ts';
import { joined, parsePlace } from './places.ts';
import { upload } from './transfer.ts';

type SyncOptions = { delete?: boolean; exclude?: string[]; watch?: boolean };
type Local = { local: string; path: string; size: number };

const EXCLUDED = ['.git', 'node_modules'];
/** Arguments of one command that hashes, and their bytes: a command takes twice as many. */
const HASHED_AT_ONCE = 500;
const HASHED_BYTES = 64 * 1024;
const SETTLE_MS = 100;
const MAX_DEPTH = 64;

export async function sync(context: Context, from: string, toText: string, options: SyncOptions): Promise<number> {
  const to = parsePlace(toText);
  if (!to.sandboxId) throw new UsageError('It is brought into a sandbox: ID:DIRECTORY.');
  const isDirectory = (await stat(from).catch(() => undefined))?.isDirectory();
  if (!isDirectory) throw new Failure(`'${from}' is no directory`, `'drydock cp' copies a file.`);
  const drydock = await context.connect();
  const sandbox = await drydock.sandboxes.connect(to.sandboxId, { signal: context.signal });
  const once = () => bringUpToDate(context, sandbox, from, to.path, options);
  await once();
  if (options.watch) await onChanges(from, context.signal, once);
  return EXIT.ok;
}

/** What changes while it runs is brought up to date after it. */
async function onChanges(directory: string, signal: AbortSignal, once: () => Promise<void>): Promise<void> {
  let wake = Promise.withResolvers<void>();
  const watcher = watch(directory, { recursive: true }, () => wake.resolve());
  const ended = new Promise<void>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    for (;;) {
      await Promise.race([wake.promise, ended]);
      await Promise.race([new Promise((resolve) => setTimeout(resolve, SETTLE_MS)), ended]);
      wake = Promise.withResolvers();
      await once();
    }
  } finally {
    watcher.close();
  }
}

async function bringUpToDate(
  context: Context,
  sandbox: Sandbox,
  from: string,
  to: string,
  { delete: deletes = false, exclude = EXCLUDED }: SyncOptions,
): Promise<void> {
  const { signal } = context;
  await sandbox.files.makeDir(to, { signal });
  const remote = await remoteFiles(sandbox, to, signal);
  const local = new Map<string, Local>();
  for (const name of (await filesBelow(from)).files) {
    if (isExcluded(name, exclude)) continue;
    const path = join(from, name);
    local.set(name, { local: path, path: joined(to, name), size: (await stat(path)).size });
  }
  const changed = await changedFiles(sandbox, local, remote, signal);
  using bar = startBar(
    changed.reduce((sum, { size }) => sum + size, 0),
    signal,
  );
  await eachOf(changed, (file) => upload(sandbox, file.local, file.path, bar, signal));
  const extra = deletes ? [...remote].filter(([name]) => !local.has(name) && !isExcluded(name, exclude)) : [];
  await eachOf(extra, ([, { path }]) => sandbox.files.remove(path, { signal }));
  const deleted = deletes ? `, ${extra.length} deleted` : '';
  process.stderr.write(`${changed.length} of ${local.size} files uploaded${deleted}\n`);
}

function isExcluded(name: string, patterns: readonly string[]): boolean {
  return patterns.some(
    (pattern) => name.split('/').some((part) => matchesGlob(part, pattern)) || matchesGlob(name, pattern),
  );
}

/** Files below a directory of the sandbox, by their paths relative to it. */
async function remoteFiles(sandbox: Sandbox, directory: string, signal: AbortSignal): Promise<Map<string, FileInfo>> {
  const found = new Map<string, FileInfo>();
  const visit = async (path: string, prefix: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) throw new Failure(`the directories are nested deeper than ${MAX_DEPTH}: ${path}`);
    for await (const file of sandbox.files.list(path, { signal })) {
      if (file.type === 'directory') await visit(file.path, `${prefix}${file.name}/`, depth + 1);
      else found.set(`${prefix}${file.name}`, file);
    }
  };
  await visit(directory, '', 0);
  return found;
}

async function changedFiles(
  sandbox: Sandbox,
  local: Map<string, Local>,
  remote: Map<string, FileInfo>,
  signal: AbortSignal,
): Promise<Local[]> {
  const sameSize = [...local].filter(([name, { size }]) => {
    const there = remote.get(name);
    return there?.type === 'file' && there.sizeBytes === size;
  });
  const hashes = await remoteHashes(
    sandbox,
    sameSize.map(([name]) => remote.get(name)!.path),
    signal,
  );
  const equal = new Set<string>();
  await eachOf(sameSize, async ([name, { local: path }]) => {
    if ((await hashOf(path)) === hashes.get(remote.get(name)!.path)) equal.add(name);
  });
  return [...local].filter(([name]) => !equal.has(name)).map(([, file]) => file);
}

/** By `sha256sum` of the sandbox. A file that it does not tell of counts as changed. */
async function remoteHashes(
  sandbox: Sandbox,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const group of groupsOf(paths)) {
    const command = ['sha256sum', '--', ...group];
    const { stdout } = await sandbox.commands.run(command, { signal }).catch((error) => {
      if (error.reason === 'COMMAND_NOT_FOUND') return { stdout: '' };
      throw error;
    });
    for (const [, hash, path] of stdout.matchAll(/^([0-9a-f]{64}) [ *](.+)$/gm)) hashes.set(path!, hash!);
  }
  return hashes;
}

function* groupsOf(paths: readonly string[]): Generator<string[], void, undefined> {
  let [group, bytes] = [[] as string[], 0];
  for (const path of paths) {
    bytes += Buffer.byteLength(path);
    if (group.length === HASHED_AT_ONCE || (bytes > HASHED_BYTES && group.length > 0)) {
      yield group;
      [group, bytes] = [[], Buffer.byteLength(path)];
    }
    group.push(path);
  }
  if (group.length > 0) yield group;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
