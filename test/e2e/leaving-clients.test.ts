import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { WriteFileRequest } from '#proto/drydock/v1/file.ts';
import { tenantOfFile } from '../support/tenants.ts';
import { CALLS, framed, messageOf } from '../support/wire.ts';

// Every process of the sandbox's user, by its command line.
const PROCESSES = `
import glob
for file in glob.glob('/proc/[0-9]*/cmdline'):
    try: print(open(file).read().replace(chr(0), ' '))
    except OSError: pass
`;
const FAMILY = ['bash', '-c', 'sleep 7654 & setsid sleep 7654 & echo begun; sleep 7654'];

/** What a busy machine may take to notice that a client has left. */
const SETTLES = { timeout: 10_000 };

const platform = inject('platform');
const { tenant, wire } = await tenantOfFile(platform, 6, ['FINISHED', 'CANCELLED']);
const headers = { authorization: `Bearer ${tenant.secret}` };
let sandboxId = '';
beforeAll(async () => {
  sandboxId = (await tenant.api.createSandbox()).id;
});
afterAll(async () => {
  await tenant.api.deleteSandbox(sandboxId);
});

const sleeping = async () => {
  const { stdout } = await tenant.api.command(sandboxId, ['python3', '-c', PROCESSES]);
  return stdout.split('sleep 7654').length - 1;
};

const latestExecution = async () => {
  const { body } = await tenant.http('GET', '/v1/executions?pageSize=1');
  return (await tenant.http('GET', `/v1/executions/${body.executions[0].id}`)).body;
};

async function openHttp(path: string, body: object) {
  const call = request(`${platform.httpUrl}${path}`, { method: 'POST', headers });
  call.end(JSON.stringify(body));
  const [response] = await once(call, 'response');
  await once(response, 'data');
  return call;
}

async function openGrpc({ grpc }: { grpc: string }, body: Parameters<typeof messageOf>[1]) {
  const stream = wire.open(grpc);
  stream.on('error', () => {});
  stream.end(framed(messageOf(grpc, body)));
  await once(stream, 'data');
  return stream;
}

describe('a client that leaves takes its program with it', () => {
  test('a process, with everything that it started, over gRPC', async () => {
    const stream = await openGrpc(CALLS.startProcess, { sandboxId, command: FAMILY });
    await expect.poll(sleeping).toBeGreaterThanOrEqual(3);
    stream.close(8);
    await expect.poll(sleeping).toBe(0);
  });

  test('a process, with everything that it started, over HTTP', async () => {
    const call = await openHttp(`/v1/sandboxes/${sandboxId}/processes`, { command: FAMILY });
    await expect.poll(sleeping).toBeGreaterThanOrEqual(3);
    call.destroy();
    await expect.poll(sleeping).toBe(0);
  });

  const program = { language: 'python', source: 'import time\nprint("begun", flush=True)\ntime.sleep(60)' };

  test('an execution over gRPC, which is then on record as cancelled', async () => {
    const stream = await openGrpc(CALLS.streamCode, program);
    stream.close(8);
    await expect.poll(latestExecution).toMatchObject({ state: 'CANCELLED', verdict: 'CANCELLED' });
  });

  test('an execution of a connection that is closed on its side alone, on the port of both protocols', async () => {
    const socket = connectSocket(Number(new URL(platform.httpUrl).port), '127.0.0.1');
    const session = connect(platform.httpUrl, { createConnection: () => socket });
    session.on('error', () => {});
    const path = `/${CALLS.streamCode.grpc}`;
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => {});
    stream.end(framed(messageOf(CALLS.streamCode.grpc, program)));
    await once(stream, 'data');
    socket.end();
    await expect.poll(latestExecution).toMatchObject({ state: 'CANCELLED', verdict: 'CANCELLED' });
    session.destroy();
  });

  test('an execution over HTTP, which is then on record as cancelled', async () => {
    const call = await openHttp('/v1/executions:stream', program);
    call.destroy();
    await expect.poll(latestExecution).toMatchObject({ state: 'CANCELLED', verdict: 'CANCELLED' });
  });
});

test('a client that leaves at any moment leaves nothing, and no quota is lost', async () => {
  const calls = [
    [CALLS.createSandbox, { template: 'python', lifetime: '1s' }],
    [CALLS.runCode, { language: 'python', source: 'input()' }],
    [CALLS.streamCode, { language: 'python', source: 'input()' }],
  ] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...calls),
      fc.nat({ max: 40 }),
      fc.boolean(),
      async ([call, body], ms, overGrpc) => {
        if (overGrpc) {
          const stream = wire.open(call.grpc);
          stream.on('error', () => {}).resume();
          stream.end(framed(messageOf(call.grpc, body)));
          await pause(ms);
          stream.close(8);
        } else {
          const leaving = AbortSignal.timeout(ms);
          const [method, path] = call.http;
          await fetch(`${platform.httpUrl}${path}`, { method, headers, body: JSON.stringify(body), signal: leaving })
            .then((response) => response.text())
            .catch(() => {});
        }
      },
    ),
    { numRuns: 40 },
  );
  const live = async () => {
    const { body } = await tenant.http('GET', '/v1/executions?pageSize=100');
    return body.executions.filter(({ state }: { state: string }) => state === 'RUNNING');
  };
  await expect.poll(live, { timeout: 15_000 }).toEqual([]);
});

describe('an upload that is cut off', () => {
  const content = async () => (await tenant.api.readFile(sandboxId, 'kept.txt')).toString();
  const names = async () =>
    (await tenant.http('GET', `/v1/sandboxes/${sandboxId}/files:list`)).body.files.map(
      ({ name }: { name: string }) => name,
    );
  beforeAll(() => tenant.api.writeFile(sandboxId, 'kept.txt', 'as it was'));

  test('over HTTP leaves the file as it was', async () => {
    for (let index = 0; index < 30; index++) {
      const path = `/v1/sandboxes/${sandboxId}/files/kept.txt`;
      const call = request(`${platform.httpUrl}${path}`, {
        method: 'PUT',
        headers: { ...headers, 'content-length': 100_000 },
      });
      call.on('error', () => {});
      await new Promise((resolve) => call.write(Buffer.alloc(1_000), resolve));
      await pause(index % 10);
      call.destroy();
    }
    await expect.poll(names, SETTLES).toEqual(['kept.txt']);
    expect(await content()).toBe('as it was');
  });

  test('because its client fails leaves the file as it was', async () => {
    const stream = wire.open(CALLS.writeFile.grpc);
    stream.on('error', () => {});
    stream.write(framed(messageOf(CALLS.writeFile.grpc, { sandboxId, path: 'kept.txt' })));
    stream.write(framed(messageOf(CALLS.writeFile.grpc, { data: 'YWJj' })));
    await expect.poll(names).toHaveLength(2);
    // As a client does whose process ends.
    stream.session?.destroy();
    await expect.poll(names, SETTLES).toEqual(['kept.txt']);
    expect(await content()).toBe('as it was');
  });

  test('because a piece is too large leaves the file as it was', async () => {
    async function* pieces() {
      yield WriteFileRequest.create({ sandboxId, path: 'kept.txt' });
      yield WriteFileRequest.create({ data: Buffer.alloc(1024 * 1024 + 1) });
    }
    await expect(tenant.api.files.writeFile(pieces())).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
    await expect.poll(names, SETTLES).toEqual(['kept.txt']);
    expect(await content()).toBe('as it was');
  });
});
