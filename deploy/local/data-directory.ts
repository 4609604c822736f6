import { mkdir, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../host/root.ts';
import { diskProblemOf, StartError } from '../host/start-error.ts';

/** Of the directory itself: what older code cannot use raises it. */
const LAYOUT = 1;
const SCHEMAS = ['auth', 'session'];
const FILE = 'version.json';
const MiB = 1024 ** 2;
/** For the first image twice, the database, and some room. */
const FIRST_START_MIB = 1024;
const LATER_START_MIB = 128;
const ELSEWHERE = 'or set DRYDOCK_DATA_DIR to another directory';

/** By name: the layout, and the newest migration of each schema. */
type Versions = Record<string, number>;

/** Throws `StartError` where a start cannot use the directory: newer code wrote it, or the disk is full or read-only. */
export async function checkDataDirectory(directory: string): Promise<void> {
  const [there, known] = await Promise.all([versionsIn(directory), knownVersions()]);
  const newer = Object.entries(there).filter(([name, version]) => version > (known[name] ?? 0));
  if (newer.length > 0) {
    const list = newer.map(([name, version]) => `${name} ${version}, here ${known[name] ?? 'unknown'}`).join('; ');
    throw new StartError(`${directory} was written by a newer version (${list})`, `update this checkout, ${ELSEWHERE}`);
  }
  const probe = join(directory, `.probe-${process.pid}`);
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(probe, Buffer.alloc(MiB));
  } catch (error) {
    throw unusable(directory, error);
  } finally {
    await rm(probe, { force: true }).catch(() => {});
  }
  const { bavail, bsize } = await statfs(directory);
  const free = Math.floor((bavail * bsize) / MiB);
  const needed = Object.keys(there).length > 0 ? LATER_START_MIB : FIRST_START_MIB;
  if (free < needed)
    throw new StartError(
      `the disk of ${directory} is full: ${free} MiB are free, a start needs ${needed}`,
      `free some, ${ELSEWHERE}`,
    );
}

/** Leaves in the directory which code has used it. */
export async function markDataDirectory(directory: string): Promise<void> {
  const file = join(directory, FILE);
  await writeFile(`${file}.new`, `${JSON.stringify(await knownVersions())}\n`);
  await rename(`${file}.new`, file);
}

/** The error of one who cannot write there, with what to do. */
function unusable(directory: string, error: unknown): unknown {
  const problem = diskProblemOf(error);
  if (!problem) return error;
  return new StartError(`cannot write to ${directory}: ${problem}`, `make it writable, ${ELSEWHERE}`, { cause: error });
}

async function versionsIn(directory: string): Promise<Versions> {
  const file = join(directory, FILE);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '{}';
    throw error;
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StartError(`${file} cannot be read`, `remove it if ${directory} was made by this version`, { cause });
  }
}

async function knownVersions(): Promise<Versions> {
  const counts = SCHEMAS.map(async (schema) => {
    const files = await readdir(join(ROOT, 'migrations', schema));
    return [schema, files.filter((name) => name.endsWith('.sql')).length] as const;
  });
  return { layout: LAYOUT, ...Object.fromEntries(await Promise.all(counts)) };
}
