import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { Drydock, Duration, Program } from '../../../sdk/typescript/src/index.ts';
import { Failure, UsageError } from '../failures.ts';

export type ProgramOptions = {
  language?: string;
  include?: string[];
  /** SHA-256 by name. */
  blobFile?: Record<string, string>;
  env?: Record<string, string>;
  compilerOption?: string[];
  time?: Duration;
  memory?: number;
  cpus?: number;
};

/** Other endings of a language than that of its `sourceFile`. */
const OTHER_ENDINGS: Readonly<Record<string, string>> = {
  '.cc': '.cpp',
  '.cxx': '.cpp',
  '.mjs': '.js',
  '.cjs': '.js',
  '.mts': '.ts',
  '.bash': '.sh',
  '.r': '.R',
  '.ex': '.exs',
};

/** The one that is meant where others, such as those of another compiler, have the same ending. */
const USUAL_LANGUAGES: Readonly<Record<string, string>> = {
  '.c': 'c',
  '.cpp': 'cpp',
  '.js': 'javascript',
  '.lua': 'lua',
  '.py': 'python',
  '.ts': 'typescript',
};

/** The program of a file, with those beside it, as the options say. */
export async function readProgram(
  drydock: Drydock,
  file: string,
  options: ProgramOptions,
  signal: AbortSignal,
): Promise<Program> {
  const {
    language = await languageOf(drydock, file, signal),
    include = [],
    blobFile = {},
    env,
    compilerOption,
    time,
    memory,
    cpus,
  } = options;
  const limits = {
    ...(time ? { wallTime: time, cpuTime: time } : {}),
    ...(memory ? { memoryBytes: memory } : {}),
    ...(cpus ? { cpus } : {}),
  };
  return {
    language,
    ...(await sourceOf(file, include, blobFile)),
    ...(env ? { environment: env } : {}),
    ...(compilerOption ? { compilerOptions: compilerOption } : {}),
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
  };
}

async function sourceOf(
  file: string,
  include: readonly string[],
  blobs: Readonly<Record<string, string>>,
): Promise<Pick<Program, 'source' | 'files' | 'entrypoint'>> {
  if (file === '-') {
    if (include.length > 0) throw new UsageError('--include needs a program in a file.');
    if (Object.keys(blobs).length > 0) throw new UsageError('--blob-file needs a program in a file.');
    return { source: (await readInput()) ?? '' };
  }
  const paths = [file, ...include];
  const names = paths.map((path) => basename(path));
  const all = [...names, ...Object.keys(blobs)];
  const twice = all.find((name, at) => all.indexOf(name) < at);
  if (twice) throw new UsageError(`Two files are named '${twice}': files of a program stand beside each other.`);
  const contents = await Promise.all(paths.map(readLocal));
  const files = names.map((name, at) => [name, contents[at]!] as const);
  const kept = Object.entries(blobs).map(([name, blob]) => [name, { blob }] as const);
  return { files: Object.fromEntries([...files, ...kept]), entrypoint: names[0]! };
}

export async function readLocal(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new Failure(`cannot read '${path}': ${reasonOf(cause)}`, undefined, { cause });
  }
}

/** Why a file cannot be used, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
    ENOTDIR: 'a part of the path is no directory',
    ENOSPC: 'the disk is full',
    EROFS: 'the file system is read-only',
  };
  return known[code ?? ''] ?? message;
}

async function languageOf(drydock: Drydock, file: string, signal: AbortSignal): Promise<string> {
  if (file === '-') throw new UsageError('A program on standard input needs --language.');
  const written = extname(file);
  const ending = OTHER_ENDINGS[written] ?? written;
  const languages = await drydock.templates.languages({ signal }).toArray();
  const fitting = languages
    .filter(({ sourceFile }) => ending && extname(sourceFile) === ending)
    .map(({ name }) => name);
  const usual = USUAL_LANGUAGES[ending];
  if (usual && fitting.includes(usual)) return usual;
  if (fitting.length === 1) return fitting[0]!;
  if (fitting.length > 1)
    throw new UsageError(`Programs in ${fitting.join(' and ')} end in '${ending}': say which by --language.`);
  const name = basename(file);
  throw new Failure(
    written ? `no language has files that end in '${written}'` : `'${name}' does not say its language by its ending`,
    `Say which by --language; 'drydock languages list' shows them.`,
  );
}

const MAX_INPUT_BYTES = 10 * 1024 * 1024;

/** Standard input to its end, as text; undefined where it is a terminal. */
export async function readInput(): Promise<string | undefined> {
  if (process.stdin.isTTY) return undefined;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_INPUT_BYTES)
      throw new Failure(
        'standard input is larger than 10 MiB',
        `Copy it into a sandbox by 'drydock cp', and run the program there by 'drydock exec'.`,
      );
    pieces.push(piece);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(pieces));
  } catch (cause) {
    throw new Failure(
      'standard input is not UTF-8',
      `A program of 'run' takes text; 'drydock exec' passes bytes on as they are.`,
      { cause },
    );
  }
}
