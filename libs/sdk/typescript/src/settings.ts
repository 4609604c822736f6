import { InvalidArgumentError } from './errors.ts';

/** @internal */
export const DEFAULT_URL = 'http://127.0.0.1:8080';
const DEFAULT_PORTS: Record<string, string> = { 'http:': '80', 'https:': '443' };

/** Where the platform is, and with which key it is called. */
export type Settings = { address: string; tls: boolean; url: string; apiKey: string };

export type Given = { url?: string | undefined; apiKey?: string | undefined; profile?: string | undefined };

/** Throws InvalidArgumentError. */
export function readUrl(url: string): Omit<Settings, 'apiKey'> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const plain = parsed && parsed.pathname === '/' && !parsed.search && !parsed.hash && !parsed.username;
  if (!parsed || !plain || !(parsed.protocol in DEFAULT_PORTS))
    throw new InvalidArgumentError(`the URL of the platform is such as https://drydock.example.com, not '${url}'`);
  const { protocol, hostname, port } = parsed;
  return {
    address: `${hostname}:${port || DEFAULT_PORTS[protocol]}`,
    tls: protocol === 'https:',
    url: parsed.origin,
  };
}
