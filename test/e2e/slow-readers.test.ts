import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { tenantOfFile } from '../support/tenants.ts';
import { CALLS, framed, messageOf } from '../support/wire.ts';

const MiB = 1024 * 1024;
const OUTPUT = ['bash', '-c', 'yes 0123456789abcde | head -c 1073741824'];
const SLOW_MS = 6_000;
/** Far below the output, and above what a garbage collector leaves lying around. */
const MOST_GROWTH = 96 * MiB;
const PASSING_THROUGH = ['gateway', 'executor-1', 'executor-2'];

const platform = inject('platform');
const { tenant, wire } = await tenantOfFile(platform, 1);
let sandboxId = '';
beforeAll(async () => {
  sandboxId = (await tenant.api.createSandbox()).id;
});
afterAll(async () => {
  await tenant.api.deleteSandbox(sandboxId);
});

async function residentBytes(): Promise<number[]> {
  return Promise.all(
    PASSING_THROUGH.map(async (name) => {
      const metrics = await (await fetch(platform.metricsUrls[name]!)).text();
      return Number(/^process_resident_memory_bytes (\d+)/m.exec(metrics)?.[1]);
    }),
  );
}

const processes = async () => (await tenant.api.processes.listProcesses({ sandboxId })).processes;

type Output = { stream: Readable; leave: () => void };

async function overGrpc(): Promise<Output> {
  const stream = wire.open(CALLS.startProcess.grpc);
  stream.on('error', () => {});
  stream.end(framed(messageOf(CALLS.startProcess.grpc, { sandboxId, command: OUTPUT })));
  return { stream, leave: () => stream.close(8) };
}

async function overHttp(): Promise<Output> {
  const call: ClientRequest = request(`${platform.httpUrl}/v1/sandboxes/${sandboxId}/processes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.secret}` },
  });
  call.on('error', () => {});
  call.end(JSON.stringify({ command: OUTPUT }));
  const [stream]: IncomingMessage[] = (await once(call, 'response')) as [IncomingMessage];
  return { stream: stream!.on('error', () => {}), leave: () => call.destroy() };
}

describe.each([
  ['gRPC', overGrpc],
  ['HTTP', overHttp],
])('over %s, a client that reads the output of a program', (_, open) => {
  test.each([
    ['not at all', 0],
    ['one byte a second', 1],
  ])('%s slows it down, and nobody holds what it does not take', async (_, bytesPerSecond) => {
    const before = await residentBytes();
    const { stream, leave } = await open();
    await expect.poll(async () => (await processes()).filter(({ exited }) => !exited)).toHaveLength(1);
    const end = performance.now() + SLOW_MS;
    while (performance.now() < end) {
      await pause(1_000);
      if (bytesPerSecond > 0) stream.read(bytesPerSecond);
      const growth = (await residentBytes()).map((bytes, index) => bytes - before[index]!);
      expect(Math.max(...growth), `MiB: ${growth.map((bytes) => Math.round(bytes / MiB))}`).toBeLessThan(MOST_GROWTH);
    }
    // It waits rather than ends, and goes on as soon as it is read.
    expect((await processes()).filter(({ exited }) => !exited)).toHaveLength(1);
    let taken = 0;
    for await (const chunk of stream) {
      taken += chunk.length;
      if (taken > 32 * MiB) break;
    }
    expect(taken).toBeGreaterThan(32 * MiB);
    leave();
    await expect.poll(async () => (await processes()).filter(({ exited }) => !exited)).toHaveLength(0);
  });
});
