import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { InvalidArgumentError, UnauthenticatedError } from './errors.ts';
import { DEFAULT_URL, type Given, readUrl, type Settings } from './settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the platform is, and with which key it is called: from what is given, else the profile that is given, else `DRYDOCK_URL` and
 * `DRYDOCK_API_KEY`, else the profile `DRYDOCK_PROFILE`, or `default`. Profiles are in `~/.config/drydock/config.toml`. Throws
 * InvalidArgumentError, also where a profile that is named does not exist, and UnauthenticatedError.
 */
export function resolveSettings(given: Given, environment: Environment = process.env): Settings {
  const file = configFile(environment);
  const chosen = given.profile === undefined ? {} : readProfile(file, given.profile);
  let url = given.url || chosen.url || environment.DRYDOCK_URL;
  let apiKey = given.apiKey || chosen.apiKey || environment.DRYDOCK_API_KEY;
  if (given.profile === undefined && (!url || !apiKey)) {
    const profile = readProfile(file, environment.DRYDOCK_PROFILE || undefined);
    url ||= profile.url;
    apiKey ||= profile.apiKey;
  }
  if (!apiKey) throw new UnauthenticatedError('no API key: set DRYDOCK_API_KEY, or pass apiKey to new Drydock()');
  return { ...readUrl(url || DEFAULT_URL), apiKey };
}

/** @internal */
export function configFile(environment: Environment = process.env): string {
  return join(environment.XDG_CONFIG_HOME || join(homedir(), '.config'), 'drydock/config.toml');
}

function readProfile(file: string, named: string | undefined): { url?: string; apiKey?: string } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    if (named !== undefined)
      throw new InvalidArgumentError(`there is no profile '${named}': ${file} does not exist`, { cause });
    return {};
  }
  const profiles = parseToml(file, text).profiles as Record<string, Record<string, unknown>> | undefined;
  const profile = profiles?.[named ?? 'default'];
  if (!profile && named !== undefined) throw new InvalidArgumentError(`${file} has no profile '${named}'`);
  const textOf = (key: string) => {
    const value = profile?.[key];
    if (value !== undefined && typeof value !== 'string')
      throw new InvalidArgumentError(`${file}: '${key}' of profile '${named ?? 'default'}' is not a text`);
    return value;
  };
  const [url, apiKey] = [textOf('url'), textOf('api_key')];
  return { ...(url ? { url } : {}), ...(apiKey ? { apiKey } : {}) };
}

function parseToml(file: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (cause) {
    // Without its message: it shows the line, which may hold a key.
    throw new InvalidArgumentError(`${file} is not TOML (line ${(cause as { line?: number }).line ?? '?'})`);
  }
}
