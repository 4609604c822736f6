import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { expect, test } from 'vitest';
import { service, startServer } from '#libs/grpc/server.ts';
import { readTls } from '#libs/grpc/tls.ts';
import { ExecutorServiceDefinition } from '#proto/drydock/internal/v1/executor.ts';
import { ensureCertificates } from '../../deploy/local/certificates.ts';
import { tlsOfExecutor } from '../../test/support/executor-tls.ts';
import { connectExecutors } from './executors.ts';

test('an executor that announces its own address as that of another is not asked', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'drydock-executors-'));
  await ensureCertificates(directory);
  const asked: string[] = [];
  const executor = {
    async destroySandbox({ sandboxId }: { sandboxId: string }) {
      asked.push(sandboxId);
      return {};
    },
  };
  await using server = await startServer({
    address: '127.0.0.1:0',
    services: [service(ExecutorServiceDefinition, executor, { allow: ['scheduler'] })],
    log: pino({ level: 'silent' }),
    tls: await tlsOfExecutor(directory, 'two'),
  });
  using executors = connectExecutors(readTls(directory, 'scheduler'));
  const address = `127.0.0.1:${server.port}`;
  const options = { deadlineMs: 2_000 };
  await expect(
    executors.at({ executorId: 'one', address }).destroySandbox({ sandboxId: 'a' }, options),
  ).rejects.toMatchObject({ reason: expect.stringMatching(/SERVICE_UNAVAILABLE|DEADLINE_TOO_SHORT/) });
  await executors.at({ executorId: 'two', address }).destroySandbox({ sandboxId: 'b' }, options);
  expect(asked).toEqual(['b']);
  await rm(directory, { recursive: true });
});
