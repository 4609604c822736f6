import { join } from 'node:path';
import { readExternal } from '../host/external.ts';
import { readSettings } from '../host/settings.ts';
import { type Engine, ensureEngine } from '../local/engine.ts';

/** Where what the tests need is kept. */
export const { dataDirectory: DATA_DIRECTORY } = readSettings(process.env, 1);
export const IMAGES = join(DATA_DIRECTORY, 'images');

/** An engine for the tests that run programs, which are told of it by the environment. */
export async function startTestEngine(): Promise<Engine> {
  const engine = await ensureEngine({
    dataDirectory: DATA_DIRECTORY,
    runDirectory: join(DATA_DIRECTORY, 'run'),
    dockerHost: readExternal(process.env).dockerHost,
  });
  process.env.DOCKER_SOCKET = engine.socket;
  return engine;
}
