import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type ServiceName = 'auth' | 'session' | 'scheduler' | 'executor' | 'gateway';

/** What a service shows to others, and the authority whose certificates it trusts; all PEM. */
export type TlsFiles = { ca: Buffer; certificate: Buffer; key: Buffer };

/** `ca.pem`, `<name>.pem` and `<name>-key.pem` of a directory; nothing without a directory. */
export function readTls(directory: string | undefined, name: ServiceName): TlsFiles | undefined {
  if (!directory) return undefined;
  return {
    ca: readFileSync(join(directory, 'ca.pem')),
    certificate: readFileSync(join(directory, `${name}.pem`)),
    key: readFileSync(join(directory, `${name}-key.pem`)),
  };
}
