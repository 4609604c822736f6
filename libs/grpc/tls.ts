import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type ServiceName = 'auth' | 'session' | 'scheduler' | 'executor' | 'gateway';

/** The name in the certificate of an executor, to those who call it and at NATS: no executor can pass for another. */
export const nameOfExecutor = (executorId: string) => `${executorId}.executor`;

const EXECUTOR_NAME = /^DNS:([a-z0-9-]+)\.executor$/;

/** The executor that a certificate names, by its `subjectAltName` as Node writes it; undefined if it names anything else. */
export function executorNamed(alternativeNames: string): string | undefined {
  return EXECUTOR_NAME.exec(alternativeNames)?.[1];
}

/** Certificate and key of a service, and the authority that it trusts; all PEM. */
export type TlsFiles = { readonly ca: Buffer; readonly certificate: Buffer; readonly key: Buffer };

/** `TlsFiles` that may change while they are in use: certificate and key are read anew for each connection. */
export type Tls = TlsFiles & {
  /** Calls back, until disposed, after each change. Without it, they stay. */
  onRenewed?(listener: () => void): Disposable;
};

/** `ca.pem`, `<name>.pem` and `<name>-key.pem` of a directory; undefined without a directory. */
export function readTls(directory: string | undefined, name: ServiceName): TlsFiles | undefined {
  if (!directory) return undefined;
  return {
    ca: readFileSync(join(directory, 'ca.pem')),
    certificate: readFileSync(join(directory, `${name}.pem`)),
    key: readFileSync(join(directory, `${name}-key.pem`)),
  };
}
