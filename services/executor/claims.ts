import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import type { Backend } from './backend.ts';

const SUFFIX = '.json';

/** Whose an instance is. Written before it is used, so that no restart hands it out again. */
export type Claim = {
  sandboxId: string;
  organizationId: string;
  template: string;
  limits: SandboxLimits;
  /** Milliseconds since 1970. */
  expireTime: number;
  /** The sandbox is on record as running. */
  confirmed: boolean;
};

export type Claims = {
  /** Instances that have a claim. */
  list(): Promise<string[]>;
  write(instanceId: string, claim: Claim): Promise<void>;
  /** The claim on an instance; nothing where there is none, or none that can be read. */
  read(instanceId: string): Promise<Claim | undefined>;
  remove(instanceId: string): Promise<void>;
};

/** Claims as a file each, replaced whole. What is confirmed is noted at the backend as well. */
export async function openClaims(dataDirectory: string, backend: Pick<Backend, 'note'>): Promise<Claims> {
  const directory = join(dataDirectory, 'claims');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const fileOf = (instanceId: string) => join(directory, `${instanceId}${SUFFIX}`);
  const writing = new Map<string, Promise<void>>();
  /** After what is under way of the same claim, however that ends. */
  const inTurn = async (instanceId: string, work: () => Promise<void>): Promise<void> => {
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
      inTurn(instanceId, async () => {
        const file = fileOf(instanceId);
        await writeFile(`${file}.new`, JSON.stringify(claim), { mode: 0o600 });
        await rename(`${file}.new`, file);
        if (claim.confirmed) backend.note(instanceId, claim);
      }),
    read: (instanceId) =>
      readFile(fileOf(instanceId), 'utf8').then(
        (text) => JSON.parse(text) as Claim,
        () => undefined,
      ),
    remove: (instanceId) => inTurn(instanceId, () => rm(fileOf(instanceId), { force: true })),
  };
}
