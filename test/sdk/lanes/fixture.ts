import { execFile } from 'node:child_process';
import * as sdk from '@drydock/sdk';
import { createTenants } from '../tenants.ts';
import { settings } from './settings.ts';

export { makeZip } from './controls.ts';
export { sdk };
export const { httpUrl, apiKey, evaluate } = settings;
export const { openTenant, openSandbox } = createTenants(sdk, { httpUrl, apiKey });

/** Runs a module in the directory of this program. */
export const runModule = evaluate && runHere;

function runHere(source: string, env: Record<string, string>): Promise<string> {
  const { PATH = '', DENO_DIR = '' } = process.env;
  return new Promise((resolve, reject) => {
    const options = { env: { HOME: '/nowhere', PATH, DENO_DIR, NO_COLOR: '1', ...env } };
    execFile(process.execPath, [...evaluate!, source], options, (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(stdout.trim()),
    );
  });
}
