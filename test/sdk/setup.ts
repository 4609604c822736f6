import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { TestProject } from 'vitest/node';
import { packSdk } from '../../deploy/build/sdk.ts';
import { platformPorts, startTestPlatform } from '../support/platform.ts';
import { forgetOutcomes, outcomesTable } from './outcomes.ts';

declare module 'vitest' {
  interface ProvidedContext {
    sdk: {
      httpUrl: string;
      apiKey: string;
      /** An empty project into which the packed SDK and command line were installed. */
      project: string;
      /** Variables of one more gateway of the platform. */
      gateway: Record<string, string>;
    };
  }
}

/** One platform for all scenarios, and a project of a user. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [ports] = await Promise.all([platformPorts(2), forgetOutcomes()]);
  const [platform, directory] = await Promise.all([startTestPlatform({ ports }), installPacked()]);
  const at = (port: number) => `127.0.0.1:${port}`;
  project.provide('sdk', {
    httpUrl: platform.httpUrl,
    apiKey: platform.apiKey,
    project: directory,
    gateway: {
      GATEWAY_METRICS_ADDRESS: at(0),
      AUTH_ADDRESS: at(ports.auth),
      SESSION_ADDRESS: at(ports.session),
      SCHEDULER_ADDRESS: at(ports.scheduler),
      NATS_URL: platform.natsUrl,
      TLS_DIR: platform.tlsDirectory,
    },
  });
  return async () => {
    process.stdout.write(`${await outcomesTable()}\n`);
    await rm(directory, { recursive: true, force: true });
    await platform[Symbol.asyncDispose]();
  };
}

async function installPacked(): Promise<string> {
  const { typescript, cli } = await packSdk(() => {});
  const directory = await mkdtemp(join(tmpdir(), 'drydock-sdk-'));
  await writeFile(join(directory, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  await execa('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', typescript, cli], { cwd: directory });
  return directory;
}
