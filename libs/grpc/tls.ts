import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type ServiceName = 'auth' | 'session' | 'scheduler' | 'executor' | 'gateway';

/**
 * The name in the certificate of an executor, to those who call it and at NATS: no executor can pass for another. One can still
 * claim to have taken over another's sandboxes, which Session believes.
 */
export const nameOfExecutor = (executorId: string) => `${executorId}.executor`;

/** Certificate and key of a service, and the authority that it trusts; all PEM. */
export type TlsFiles = { ca: Buffer; certificate: Buffer; key: Buffer };

/** `ca.pem`, `<name>.pem` and `<name>-key.pem` of a directory; undefined without a directory. */
export function readTls(directory: string | undefined, name: ServiceName): TlsFiles | undefined {
  if (!directory) return undefined;
  return {
    ca: readFileSync(join(directory, 'ca.pem')),
    certificate: readFileSync(join(directory, `${name}.pem`)),
    key: readFileSync(join(directory, `${name}-key.pem`)),
  };
}
