import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import type * as Sdk from '../../libs/sdk/typescript/src/index.ts';
import { zipOf } from '../support/zip.ts';
import { createTenants } from './tenants.ts';

/** The SDK as its users have it: packed and installed. */
export const sdk = (await import(
  pathToFileURL(join(inject('sdk').project, 'node_modules/@drydock/sdk/dist/index.js')).href
)) as typeof Sdk;

export const { httpUrl, apiKey } = inject('sdk');

export const { openTenant, openSandbox } = createTenants(sdk, { httpUrl, apiKey });

/** Runs a module in the project of a user; it ends by itself, so the client keeps no process alive. */
async function runInProject(source: string, env: Record<string, string>): Promise<string> {
  const args = ['--input-type=module', '--eval', source];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: inject('sdk').project,
    env: { HOME: '/nowhere', ...env },
  });
  return stdout.trim();
}

/** Absent where no process can be started. */
export const runModule: typeof runInProject | undefined = runInProject;

export const makeZip = async (files: Record<string, string>): Promise<Uint8Array> => zipOf(files);

export type Scenario = () => Promise<void>;
