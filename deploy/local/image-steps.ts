import { diskProblemOf, StartError } from '../host/start-error.ts';
import type { Steps } from '../host/steps.ts';
import { BuildError, listImages } from '../images/build.ts';
import type { LogFiles } from './log-files.ts';
import type { LocalBackend } from './sandbox-backend.ts';

/** Small enough to wait for; the others follow while the platform runs. */
const FIRST_IMAGE = 'python';
const LOG = 'images';

type Surroundings = { logs: LogFiles; steps: Steps; signal: AbortSignal };

/** Makes sure that there is the image of the first program. Throws `StartError` where it cannot be built. */
export async function ensureFirstImage(local: LocalBackend, surroundings: Surroundings): Promise<void> {
  await ensureImage(FIRST_IMAGE, local, surroundings);
}

/** Makes sure of the others, and says of each when it is ready or that it cannot be built. */
export async function ensureOtherImages(local: LocalBackend, surroundings: Surroundings): Promise<void> {
  const { steps, signal } = surroundings;
  // One after the other: a build keeps every core busy by itself.
  for (const { name } of await listImages()) {
    if (name === FIRST_IMAGE || signal.aborted) continue;
    try {
      await ensureImage(name, local, surroundings);
    } catch (error) {
      if (!signal.aborted) steps.say((error as Error).message);
    }
  }
}

async function ensureImage(name: string, local: LocalBackend, { logs, steps }: Surroundings): Promise<void> {
  await steps.run(`image ${name}`, async (tell) => {
    let told = false;
    const onProgress = (line: string) => {
      logs.write(LOG, line);
      if (!told && / building /.test(line)) tell('fetching and unpacking Debian packages');
      told = true;
    };
    try {
      await local.ensureImage(name, onProgress);
    } catch (cause) {
      if (cause instanceof BuildError) for (const line of cause.lastLines) logs.write(LOG, line);
      throw new StartError(`image ${name} cannot be built: ${reasonOf(cause)}`, fixOf(cause), { cause });
    }
  });
}

function reasonOf(error: unknown): string {
  const lines = error instanceof BuildError ? error.lastLines : `${(error as Error).message}`.split('\n');
  const said = (words: RegExp) => lines.find((line) => words.test(line))?.replace(/^[EW]: /, '');
  return said(/^[EW]: Failed to fetch/) ?? said(/no space left/i) ?? said(/^E: /) ?? lines.at(-1) ?? 'no reason given';
}

function fixOf(error: unknown): string {
  if (diskProblemOf(error)) return 'make room, or set DRYDOCK_DATA_DIR';
  return 'check the network and the mirror of apt; npm start -- logs images shows more';
}
