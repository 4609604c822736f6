import { request } from 'node:http';
import { createServer, connect as dial, type Server } from 'node:net';

export type Container = {
  Id: string;
  State: { Pid: number; Running: boolean };
  // biome-ignore lint/suspicious/noExplicitAny: the engine's own, deep answer
  Config: any;
  // biome-ignore lint/suspicious/noExplicitAny: the engine's own, deep answer
  HostConfig: any;
  Mounts: { Type: string; Source: string; Destination: string; RW: boolean }[];
  NetworkSettings: { Networks: Record<string, unknown> };
};

export type Engine = ReturnType<typeof connectEngine>;

/** The engine as a test asks it: with its plain API, and only for the containers of one executor. */
export function connectEngine(socketPath: string, executorId: string) {
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
  const list = async (): Promise<string[]> =>
    (await ask<{ Id: string }[]>('GET', `/containers/json?all=1&filters=${filters}`)).map(({ Id }) => Id);
  return {
    /** Ids of every container, running or not. */
    list,
    inspect: (id: string) => ask<Container>('GET', `/containers/${id}/json`),
    kill: (id: string) => ask('POST', `/containers/${id}/kill`),
    /** A container with this executor's labels that the executor knows nothing of. */
    async makeOrphan(image: string): Promise<string> {
      const { Id } = await askWith<{ Id: string }>(socketPath, '/containers/create?name=drydock-ins_orphan', {
        Image: image,
        Entrypoint: ['sleep', '600'],
        NetworkDisabled: true,
        Labels: {
          'drydock.executor': executorId,
          'drydock.instance': 'ins_orphan',
          'drydock.template': 'python',
        },
      });
      await ask('POST', `/containers/${Id}/start`);
      return Id;
    },
    async removeAll() {
      await Promise.all((await list()).map((id) => ask('DELETE', `/containers/${id}?force=1`)));
    },
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

/** Stands between an executor and its engine, and keeps the request lines. `break()` drops every connection. */
export async function observeEngine(target: string, path: string) {
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
    break: () => {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
