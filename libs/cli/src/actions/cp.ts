import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import type { FileInfo, Sandbox } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Failure, UsageError } from '../failures.ts';
import { printable } from '../printable.ts';
import { startBar } from '../progress.ts';
import { joined, lastPart, localName, parsePlace } from './places.ts';
import { reasonOf } from './program-source.ts';
import { download, upload } from './transfer.ts';

/** Files that are moved at one time. */
const AT_ONCE = 8;

export async function cp(context: Context, fromText: string, toText: string): Promise<number> {
  const [from, to] = [parsePlace(fromText), parsePlace(toText)];
  if (!from.sandboxId === !to.sandboxId) throw new UsageError('One of the two is in a sandbox: ID:PATH.');
  const drydock = await context.connect();
  const sandbox = await drydock.sandboxes.connect((from.sandboxId ?? to.sandboxId)!, { signal: context.signal });
  if (to.sandboxId) await copyIn(context, sandbox, from.path, to.path);
  else await copyOut(context, sandbox, from.path, to.path);
  return EXIT.ok;
}

async function copyIn(context: Context, sandbox: Sandbox, from: string, to: string): Promise<void> {
  const { signal } = context;
  if (from === '-') {
    if (to.endsWith('/') || to === '.') throw new UsageError('Standard input needs the name of a file in the sandbox.');
    await sandbox.files.write(to, process.stdin, { signal });
    return;
  }
  const kind = await kindOf(from);
  const inside = to.endsWith('/') || to === '.' || (await isDirectory(sandbox, to, signal));
  const target = inside ? joined(to, basename(resolve(from))) : to;
  const files =
    kind === 'file'
      ? [{ local: from, path: target, size: (await stat(from)).size }]
      : await tree(sandbox, from, target, signal);
  using bar = startBar(
    files.reduce((sum, { size }) => sum + size, 0),
    signal,
  );
  await eachOf(files, ({ local, path }) => upload(sandbox, local, path, bar, signal));
}

async function kindOf(local: string): Promise<'file' | 'directory'> {
  try {
    const found = await stat(local);
    if (found.isFile()) return 'file';
    if (found.isDirectory()) return 'directory';
  } catch (cause) {
    throw new Failure(`cannot read '${local}': ${reasonOf(cause)}`, undefined, { cause });
  }
  throw new Failure(
    `'${local}' is neither a file nor a directory`,
    'Pass its content on by standard input: drydock cp - ID:PATH',
  );
}

type Upload = { local: string; path: string; size: number };

/** All files below a directory; its directories are made, the empty ones too. */
async function tree(sandbox: Sandbox, from: string, target: string, signal: AbortSignal): Promise<Upload[]> {
  const { files, directories, links } = await filesBelow(from);
  for (const directory of ['', ...directories])
    await sandbox.files.makeDir(directory ? joined(target, directory) : target, { signal });
  if (links.length > 0) tellLeftOut(links);
  return Promise.all(
    files.map(async (file) => {
      const local = join(from, file);
      return { local, path: joined(target, file), size: (await stat(local)).size };
    }),
  );
}

/** Paths below a directory, relative to it. `links` is all that is neither a file nor a directory. */
export async function filesBelow(
  directory: string,
): Promise<{ files: string[]; directories: string[]; links: string[] }> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found = { files: [] as string[], directories: [] as string[], links: [] as string[] };
  for (const entry of entries.toSorted((a, b) => (a.parentPath + a.name < b.parentPath + b.name ? -1 : 1))) {
    const path = relative(directory, join(entry.parentPath, entry.name));
    if (entry.isFile()) found.files.push(path);
    else if (entry.isDirectory()) found.directories.push(path);
    else found.links.push(path);
  }
  return found;
}

function tellLeftOut(paths: readonly string[]): void {
  const more = paths.length > 3 ? `, and ${paths.length - 3} more` : '';
  process.stderr.write(
    `left out, as neither file nor directory: ${paths.slice(0, 3).map(printable).join(', ')}${more}\n`,
  );
}

async function isDirectory(sandbox: Sandbox, path: string, signal: AbortSignal): Promise<boolean> {
  if (!(await sandbox.files.exists(path, { signal }))) return false;
  return (await sandbox.files.getInfo(path, { signal })).type === 'directory';
}

async function copyOut(context: Context, sandbox: Sandbox, from: string, to: string): Promise<void> {
  const { signal } = context;
  if (to === '-') {
    for await (const piece of await sandbox.files.read(from, { format: 'stream', signal }))
      await context.output.print(piece);
    return;
  }
  const source = await sandbox.files.getInfo(from, { signal });
  const inside = to.endsWith('/') || (await stat(to).catch(() => undefined))?.isDirectory();
  const target = inside ? join(to, localName(lastPart(source.path))) : to;
  const files: { file: FileInfo; local: string }[] = [];
  if (source.type !== 'directory') files.push({ file: source, local: target });
  else await collect(sandbox, source.path, target, files, signal);
  using bar = startBar(
    files.reduce((sum, { file }) => sum + file.sizeBytes, 0),
    signal,
  );
  await eachOf(files, ({ file, local }) => download(sandbox, file, local, bar, signal));
}

/** Directories of a sandbox nest as deep as its program likes. */
const MAX_DEPTH = 64;

async function collect(
  sandbox: Sandbox,
  path: string,
  local: string,
  files: { file: FileInfo; local: string }[],
  signal: AbortSignal,
  depth = 0,
): Promise<void> {
  if (depth > MAX_DEPTH) throw new Failure(`the directories are nested deeper than ${MAX_DEPTH}: ${path}`);
  await mkdir(local, { recursive: true });
  const links: string[] = [];
  for await (const file of sandbox.files.list(path, { signal })) {
    const below = join(local, localName(file.name));
    if (file.type === 'directory') await collect(sandbox, file.path, below, files, signal, depth + 1);
    else if (file.type === 'file') files.push({ file, local: below });
    else links.push(file.path);
  }
  if (links.length > 0) tellLeftOut(links);
}

/** Several at a time; the first failure ends all. */
export async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
