import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_LIFETIME_MS } from '#libs/catalog/limits.ts';
import { missingFile } from '#libs/missing.ts';
import type { Backend } from '../backends/backend.ts';
import { type Claim, formatClaim, parseClaim } from '../backends/claim.ts';

const SUFFIX = '.json';
// Deadlines follow the clock of the database, times of files that of this host.
const CLOCKS_DIFFER_MS = 3_600_000;

export type Claims = {
  /** Ids of the instances that have a claim. */
  list(): Promise<string[]>;
  write(instanceId: string, claim: Claim): Promise<void>;
  /**
   * The claim on an instance; undefined if there is none. Throws if it cannot be read, unless it was written so long ago that its
   * sandbox has expired in any case.
   */
  read(instanceId: string): Promise<Claim | undefined>;
  remove(instanceId: string): Promise<void>;
};

/** Claims as one file each, replaced atomically. Confirmed ones are also written on their instances, if the backend can. */
export async function openClaims(dataDirectory: string, backend: Pick<Backend, 'cluster'>): Promise<Claims> {
  const directory = join(dataDirectory, 'claims');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const fileOf = (instanceId: string) => join(directory, `${instanceId}${SUFFIX}`);
  const writing = new Map<string, Promise<void>>();
  /** Serialises the writes of one claim. */
  const serialised = async (instanceId: string, work: () => Promise<void>): Promise<void> => {
    const mine = Promise.allSettled([writing.get(instanceId)]).then(work);
    writing.set(instanceId, mine);
    try {
      await mine;
    } finally {
      if (writing.get(instanceId) === mine) writing.delete(instanceId);
    }
  };
  return {
    async list() {
      const names = await readdir(directory);
      return names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));
    },
    write: (instanceId, claim) =>
      serialised(instanceId, async () => {
        const [file, next] = [fileOf(instanceId), `${fileOf(instanceId)}.new`];
        try {
          await writeFile(next, formatClaim(claim), { mode: 0o600 });
          await rename(next, file);
        } catch (error) {
          await rm(next, { force: true });
          throw error;
        }
        if (claim.confirmed) backend.cluster?.note(instanceId, claim);
      }),
    async read(instanceId) {
      const file = fileOf(instanceId);
      const written = await readFile(file, 'utf8').catch(missingFile);
      if (written === undefined) return undefined;
      try {
        return parseClaim(written);
      } catch (cause) {
        const { mtimeMs } = await stat(file);
        // The file is rewritten whenever the deadline moves, and no deadline is later than this.
        if (Date.now() - mtimeMs > MAX_LIFETIME_MS + CLOCKS_DIFFER_MS) return undefined;
        throw new Error(`${file} is damaged or of a newer version: ${(cause as Error).message}`, { cause });
      }
    },
    remove: (instanceId) => serialised(instanceId, () => rm(fileOf(instanceId), { force: true })),
  };
}
