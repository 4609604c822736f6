import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { createAuthority } from '#libs/certificates/authority.ts';
import { freePort } from '../support/ports.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

/** One more gateway of the platform, at an address that it keeps when it is started again. */
export async function startGateway(environment: Record<string, string> = {}) {
  const port = await freePort();
  const addresses = { GATEWAY_ADDRESS: '127.0.0.1:0', GATEWAY_HTTP_ADDRESS: `127.0.0.1:${port}` };
  let process: ServiceProcess;
  const start = async () => {
    process = startService('gateway', { ...inject('sdk').gateway, ...addresses, ...environment });
    await process.listening;
  };
  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    /** Ends it as a crash would. */
    kill: () => process.kill(),
    start,
    [Symbol.asyncDispose]: async () => void (await process.stop()),
  };
}

/** A gateway with a certificate of its address alone. */
export async function startTlsGateway() {
  const authority = await createAuthority('test authority');
  const { certificate, key } = await authority.issue('CN=gateway', { ip: ['127.0.0.1'] });
  const directory = await mkdtemp(join(tmpdir(), 'drydock-tls-'));
  const [certificateFile, keyFile] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
  await writeFile(certificateFile, certificate);
  await writeFile(keyFile, key);
  const gateway = await startGateway({ GATEWAY_TLS_CERT_FILE: certificateFile, GATEWAY_TLS_KEY_FILE: keyFile });
  const { port } = new URL(gateway.url);
  return {
    url: `https://127.0.0.1:${port}`,
    /** The same gateway by a name that its certificate lacks. */
    otherHostUrl: `https://localhost:${port}`,
    httpUrl: gateway.url,
    /** The certificate of its authority, PEM. */
    ca: authority.certificate,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
