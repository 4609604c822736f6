import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, connect as dial, type Server } from 'node:net';
import { join } from 'node:path';

/** What is below the executor under test, as a test sees it and meddles with it behind the executor's back. */
export type Below = {
  /** Instances that exist, running or not. */
  list(): Promise<string[]>;
  /** What an instance is called in requests. */
  nameOf(instanceId: string): string;
  /** Ends an instance. */
  kill(instanceId: string): Promise<unknown>;
  /** An instance with this executor's labels that the executor knows nothing of. */
  makeOrphan(image: string): Promise<string>;
  removeAll(): Promise<unknown>;
};

/** What an executor asks of what is below. `break()` drops every connection. */
export type Observed = AsyncDisposable & {
  /** Request lines. */
  requests: string[];
  break(): void;
  /** What makes an executor go through here. */
  variables: Record<string, string>;
};

export type Container = {
  State: { Pid: number; Running: boolean };
  // biome-ignore lint/suspicious/noExplicitAny: the engine's own, deep answer
  Config: any;
  // biome-ignore lint/suspicious/noExplicitAny: the engine's own, deep answer
  HostConfig: any;
  Mounts: { Type: string; Source: string; Destination: string; RW: boolean }[];
  NetworkSettings: { Networks: Record<string, unknown> };
};

export type Engine = Below & { inspect(instanceId: string): Promise<Container> };

/** The engine as a test asks it: with its plain API, and only for the containers of one executor. */
export function connectEngine(socketPath: string, executorId: string): Engine {
  const ask = <T>(method: string, path: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const call = request({ socketPath, method, path }, async (response) => {
        const pieces: Buffer[] = [];
        for await (const piece of response) pieces.push(piece as Buffer);
        const body = Buffer.concat(pieces).toString();
        if ((response.statusCode ?? 500) >= 400 && response.statusCode !== 404) return reject(new Error(body));
        resolve((body ? JSON.parse(body) : undefined) as T);
      });
      call.once('error', reject).end();
    });
  const filters = encodeURIComponent(JSON.stringify({ label: [`drydock.executor=${executorId}`] }));
  const nameOf = (instanceId: string) => `drydock-${instanceId}`;
  const list = async (): Promise<string[]> => {
    const found = await ask<{ Labels: Record<string, string> }[]>('GET', `/containers/json?all=1&filters=${filters}`);
    return found.map(({ Labels }) => Labels['drydock.instance']!);
  };
  return {
    list,
    nameOf,
    inspect: (instanceId: string) => ask<Container>('GET', `/containers/${nameOf(instanceId)}/json`),
    kill: (instanceId: string) => ask('POST', `/containers/${nameOf(instanceId)}/kill`),
    async makeOrphan(image: string): Promise<string> {
      const instanceId = 'ins_orphan';
      await askWith(socketPath, `/containers/create?name=${nameOf(instanceId)}`, {
        Image: image,
        Entrypoint: ['sleep', '600'],
        NetworkDisabled: true,
        Labels: {
          'drydock.executor': executorId,
          'drydock.instance': instanceId,
          'drydock.template': 'python',
        },
      });
      await ask('POST', `/containers/${nameOf(instanceId)}/start`);
      return instanceId;
    },
    removeAll: async () => Promise.all((await list()).map((id) => ask('DELETE', `/containers/${nameOf(id)}?force=1`))),
  };
}

function askWith<T>(socketPath: string, path: string, body: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const call = request({ socketPath, method: 'POST', path, headers }, async (response) => {
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece as Buffer);
      resolve(JSON.parse(Buffer.concat(pieces).toString()) as T);
    });
    call.once('error', reject).end(JSON.stringify(body));
  });
}

/** Stands between an executor and its engine. */
export async function observeEngine(target: string): Promise<Observed> {
  const directory = await mkdtemp('/tmp/dd-engine-');
  const path = join(directory, 'docker.sock');
  const requests: string[] = [];
  const sockets = new Set<{ destroy(): void }>();
  const server: Server = createServer((near) => {
    const far = dial(target);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .once('close', () => {
          sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
    }
    near.on('data', (data) => {
      requests.push(...(data.toString('latin1').match(/^(GET|POST|DELETE|PUT) \S+/gm) ?? []));
    });
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return {
    requests,
    variables: { DOCKER_SOCKET: path },
    break: () => {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true });
    },
  };
}
