import { InvalidArgumentError, UnauthenticatedError } from './errors.ts';
import { openHttp } from './http.ts';
import { type Given, readUrl, type Settings } from './settings.ts';
import type { Transport } from './transport.ts';

declare const location: { origin: string };

/** A page has neither environment nor profiles: it gives its key, and the address unless the platform itself serves it. */
export function resolveSettings({ url, apiKey, profile }: Given): Settings {
  if (profile !== undefined) throw new InvalidArgumentError('a browser has no profiles: pass url and apiKey');
  if (!apiKey) throw new UnauthenticatedError('no API key: pass apiKey to new Drydock()');
  return { ...readUrl(url || location.origin), apiKey };
}

export function openTransport(settings: Settings, ca: string | Uint8Array | undefined): Transport {
  if (ca !== undefined) throw new InvalidArgumentError("a browser trusts its own authorities alone: leave out 'ca'");
  return openHttp(settings);
}
