import { mkdtemp, rm } from 'node:fs/promises';
import type { Ports } from '../../deploy/host/settings.ts';
import { ensureImages } from '../../deploy/images/build.ts';
import { type Platform, type PlatformOptions, startPlatform } from '../../deploy/local/platform.ts';
import { freePort } from './ports.ts';

const EXECUTORS = 2;

/** A platform of its own, with every image, on free ports and in a directory of its own. Disposing removes all of it. */
export async function startTestPlatform(
  options: Partial<PlatformOptions> & { executors?: number } = {},
): Promise<Platform> {
  const dockerSocket = process.env.DOCKER_SOCKET ?? '/var/run/docker.sock';
  const cacheDirectory = process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';
  await ensureImages({ dockerSocket, cacheDirectory });
  // Short, for the sockets in it.
  const dataDirectory = await mkdtemp('/tmp/drydock-');
  const lines: string[] = [];
  const onLine = (name: string, line: string) => {
    lines.push(`${name} | ${line}`);
    if (process.env.TEST_LOGS) process.stderr.write(`${name} | ${line}\n`);
  };
  try {
    const platform = await startPlatform({
      dataDirectory,
      backend: { kind: 'docker', sockets: [dockerSocket] },
      ports: await platformPorts(options.executors ?? EXECUTORS),
      name: dataDirectory.split('-').at(-1)!.toLowerCase(),
      onLine,
      ...options,
    });
    const dispose = platform[Symbol.asyncDispose];
    return {
      ...platform,
      async [Symbol.asyncDispose]() {
        await dispose();
        await rm(dataDirectory, { recursive: true, force: true });
      },
    };
  } catch (cause) {
    throw new Error(`the platform did not start\n${lines.slice(-30).join('\n')}`, { cause });
  }
}

export async function platformPorts(executors: number): Promise<Ports> {
  const port = freePort;
  return {
    postgres: await port(),
    nats: await port(),
    gateway: await port(),
    http: await port(),
    auth: await port(),
    join: await port(),
    session: await port(),
    scheduler: await port(),
    metrics: {
      gateway: await port(),
      auth: await port(),
      session: await port(),
      scheduler: await port(),
    },
    executors: await Promise.all(
      Array.from({ length: executors }, async () => ({
        port: await port(),
        metrics: await port(),
      })),
    ),
  };
}
