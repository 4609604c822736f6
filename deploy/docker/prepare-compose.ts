import { chown, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { generate } from '../build/generate.ts';
import { BUILD } from '../host/root.ts';
import { resolvedCatalog } from '../images/resolved-catalog.ts';
import { ensureCertificates } from '../local/certificates.ts';
import { describeUse } from '../local/first-program.ts';
import { natsConfig } from '../local/nats-config.ts';
import { keepSecret } from '../local/postgres.ts';

/** Whom the images run as. */
const IMAGE_USER = 1000;
const EXECUTOR_ID = 'compose-1';
const NAMES = ['service', 'postgresql', 'nats'];

/** Makes what containers of `compose.yaml` find on the machine, and answers with the variables that it asks for. */
export async function prepareCompose(options: {
  /** A directory of at most 50 characters. */
  home: string;
  /** A unix socket of the engine that runs sandboxes. */
  dockerSocket: string;
  imageOf: (name: string) => string;
  /** Of the loopback interface. */
  ports: { gateway: number; http: number };
}): Promise<Record<string, string>> {
  const home = resolve(options.home);
  await ensureCertificates(join(home, 'tls'));
  const secret = (name: string, prefix?: string) => keepSecret(join(home, name), prefix);
  const nats = natsConfig({
    listen: '0.0.0.0:4222',
    storeDirectory: '/var/lib/nats',
    tls: { ca: '/tls/ca.pem', certificate: '/tls/nats.pem', key: '/tls/nats-key.pem' },
    executorIds: [EXECUTOR_ID],
  });
  await writeFile(join(home, 'nats.conf'), nats, { mode: 0o600 });
  for (const name of ['postgresql', 'nats', 'join-tokens', 'executor'])
    await mkdir(join(home, name), { recursive: true, mode: 0o700 });
  const user = process.getuid?.() === 0 ? [IMAGE_USER, IMAGE_USER] : [process.getuid?.(), process.getgid?.()];
  if (process.getuid?.() === 0) await giveTo(IMAGE_USER, home);
  return {
    DRYDOCK_HOME: home,
    DRYDOCK_BUILD: BUILD,
    DRYDOCK_USER: user.join(':'),
    DOCKER_SOCKET: options.dockerSocket,
    DRYDOCK_EXECUTOR_ID: EXECUTOR_ID,
    DRYDOCK_GATEWAY_PORT: `${options.ports.gateway}`,
    DRYDOCK_HTTP_PORT: `${options.ports.http}`,
    POSTGRES_PASSWORD: await secret('postgres-password'),
    OPERATOR_API_KEY: await secret('api-key', 'dk_'),
    ...Object.fromEntries(NAMES.map((name) => [`DRYDOCK_${name.toUpperCase()}_IMAGE`, options.imageOf(name)])),
  };
}

/** What the containers read and write; the executor is root. */
async function giveTo(id: number, home: string): Promise<void> {
  const certificates = (await readdir(join(home, 'tls'), { recursive: true })).map((name) => join('tls', name));
  for (const name of ['tls', ...certificates, 'nats.conf', 'postgresql', 'nats', 'join-tokens'])
    await chown(join(home, name), id, id);
}

if (import.meta.main) {
  const command = new Command('node deploy/docker/prepare-compose.ts')
    .description(
      'Makes what compose.yaml needs on this machine, and writes .env beside it. Changes nothing that is there.',
    )
    .option('--home <directory>', 'where everything is kept, at most 50 characters', '/var/lib/drydock-compose')
    .option('--docker-socket <path>', 'unix socket of the engine that is to run sandboxes', '/var/run/docker.sock')
    .option('--images <prefix>', 'what the images are called before /service, /postgresql and /nats', 'drydock')
    .option('--tag <tag>', 'and after it', 'compose')
    .option('--http-port <port>', 'where the gateway answers HTTP, on the loopback interface', Number, 8080)
    .option('--grpc-port <port>', 'and gRPC', Number, 7000)
    .parse();
  type Options = {
    home: string;
    dockerSocket: string;
    images: string;
    tag: string;
    httpPort: number;
    grpcPort: number;
  };
  const { home, dockerSocket, images, tag, httpPort, grpcPort } = command.opts<Options>();
  await generate((line) => process.stderr.write(`${line}\n`));
  await writeFile(join(BUILD, 'catalog.json'), await resolvedCatalog());
  const imageOf = (name: string) => `${images}/${name}:${tag}`;
  const ports = { gateway: grpcPort, http: httpPort };
  const variables = await prepareCompose({ home, dockerSocket, imageOf, ports });
  const text = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(import.meta.dirname, '.env'), text.join(''), { mode: 0o600 });
  const place = {
    httpUrl: `http://127.0.0.1:${httpPort}`,
    gatewayAddress: `127.0.0.1:${grpcPort}`,
    apiKey: variables.OPERATOR_API_KEY!,
  };
  process.stdout.write(`${describeUse(place)}\n`);
}
