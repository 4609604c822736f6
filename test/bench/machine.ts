import { join } from 'node:path';
import { generate } from '../../deploy/build/generate.ts';
import { ensureSystemPackages } from '../../deploy/host/system-packages.ts';
import { ensureEngine } from '../../deploy/local/engine.ts';
import type { Platform, PlatformOptions } from '../../deploy/local/platform.ts';
import { connectGrpc } from '../support/api.ts';
import { startTestPlatform } from '../support/platform.ts';

/** Where what was built is kept. */
export const DATA_DIRECTORY = process.env.DRYDOCK_DATA_DIR || '/var/lib/drydock';
const GiB = 1024 ** 3;

/** What a benchmark needs of this machine, installed and started. Disposing stops what was started. */
export async function prepareMachine(): Promise<{ engineSocket: string } & AsyncDisposable> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  await ensureSystemPackages(say);
  await generate(say);
  const engine = await ensureEngine({
    dataDirectory: DATA_DIRECTORY,
    runDirectory: join(DATA_DIRECTORY, 'run'),
    dockerHost: process.env.DOCKER_HOST,
  });
  process.env.DOCKER_SOCKET = engine.socket;
  process.env.IMAGE_CACHE = join(DATA_DIRECTORY, 'images');
  return { engineSocket: engine.socket, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

/** A platform with one executor that says it has more memory than there is: its sandboxes use a few MiB of what they may. */
export function startBenchPlatform(options: Partial<PlatformOptions> = {}): Promise<Platform> {
  return startTestPlatform({
    executors: 1,
    ...options,
    environment: { EXECUTOR_MEMORY_BYTES: String(100 * GiB), LOG_LEVEL: 'warn', ...options.environment },
  });
}

/** A tenant whose queue is as long as may be, and who may run all at once. */
export async function createTenant(platform: Platform): Promise<{ organizationId: string; secret: string }> {
  using operator = connectGrpc(platform, platform.apiKey);
  const quota = { queuedExecutions: 1_000_000, concurrentExecutions: 1_000, concurrentSandboxes: 1_000 };
  const { organization, secret } = await operator.auth.createOrganization({
    displayName: 'bench',
    quota,
    requestId: '',
  });
  return { organizationId: organization!.id, secret };
}
