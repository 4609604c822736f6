import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '#libs/grpc/client.ts';
import { newId } from '#libs/ids.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { SANDBOX_CHANGED, sandboxEnded } from '#libs/nats/subjects.ts';
import { AppliedQuota } from '#proto/drydock/internal/v1/caller.ts';
import type { SandboxChanged, SandboxEnded } from '#proto/drydock/internal/v1/events.ts';
import { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { CreateSandboxRequest, SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';
import { type Nats, startNats } from '../../test/support/nats.ts';
import { type Postgres, startPostgres } from '../../test/support/postgres.ts';
import { startService } from '../../test/support/service-process.ts';

const log = pino({ level: 'silent' });
let postgres: Postgres;
let nats: Nats;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
});
afterAll(async () => {
  await Promise.all([postgres[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()]);
});

test('two replicas start before database and NATS, share their work, and survive the loss of both', async () => {
  const url = await postgres.createDatabase();
  await Promise.all([postgres.stop(), nats.stop()]);
  const environment = {
    DATABASE_URL: url,
    NATS_URL: nats.url,
    SESSION_ADDRESS: '127.0.0.1:0',
    SESSION_METRICS_ADDRESS: '127.0.0.1:0',
  };
  await using one = startService('session', environment);
  await using two = startService('session', environment);
  await Promise.all([one.logged('waiting for the database'), two.logged('waiting for the database')]);
  await Promise.all([postgres.start(), nats.start()]);
  const [first, second] = [`127.0.0.1:${await one.listening}`, `127.0.0.1:${await two.listening}`];
  using records = createClient(RecordServiceDefinition, first);
  using sandboxes = createClient(SandboxServiceDefinition, second);
  const caller = {
    organizationId: newId('org'),
    apiKeyId: newId('key'),
    scopes: [],
    quota: AppliedQuota.create({ concurrentSandboxes: 3 }),
  };
  const request = CreateSandboxRequest.create({ template: 'python', lifetime: { seconds: 60, nanos: 0 } });

  await using events = connectEvents({ url: nats.url, name: 'test', log });
  const told: SandboxChanged[] = [];
  const handle = async (event: SandboxChanged) => told.push(event);
  await using _consumer = events.consumeDurable(SANDBOX_CHANGED, { durable: 'test', handle });

  const { sandbox } = await records.insertSandbox({ request }, { caller });
  const sandboxId = sandbox!.id;
  await records.markSandboxRunning({ sandboxId, executorId: 'e1' }, { caller });
  expect(await sandboxes.getSandbox({ sandboxId }, { caller })).toMatchObject({ sandbox: { state: 'RUNNING' } });

  const ended: SandboxEnded = {
    sandboxId,
    organizationId: caller.organizationId,
    executorId: 'e1',
    reason: 'OUT_OF_MEMORY',
  };
  await expect.poll(events.connected).toBe(true);
  await events.publishDurable(sandboxEnded('e1'), ended, newId('evt'));
  await expect
    .poll(() => sandboxes.getSandbox({ sandboxId }, { caller }), { timeout: 10_000 })
    .toMatchObject({ sandbox: { state: 'STOPPED', stopReason: 'OUT_OF_MEMORY' } });
  await expect
    .poll(() => told.map(({ state, reason }) => [state, reason]), { timeout: 10_000 })
    .toEqual([
      ['RUNNING', 'STOP_REASON_UNSPECIFIED'],
      ['STOPPED', 'OUT_OF_MEMORY'],
    ]);

  // One that ended before it ran: its request id is free again.
  const again = { ...request, requestId: 'again' };
  const { sandbox: early } = await records.insertSandbox({ request: again }, { caller });
  const endedEarly = { ...ended, sandboxId: early!.id };
  await events.publishDurable(sandboxEnded('e1'), endedEarly, newId('evt'));
  await expect
    .poll(() => sandboxes.getSandbox({ sandboxId: early!.id }, { caller }), { timeout: 10_000 })
    .toMatchObject({ sandbox: { state: 'STOPPED', stopReason: 'FAILED_TO_START' } });
  const { sandbox: late } = await records.insertSandbox({ request: again }, { caller });
  expect(late!.id).not.toBe(early!.id);

  await Promise.all([postgres.stop(), nats.stop()]);
  await expect(records.insertSandbox({ request }, { caller })).rejects.toMatchObject({
    reason: 'SERVICE_UNAVAILABLE',
    details: { retryAfterMs: 1000 },
  });
  await Promise.all([postgres.start(), nats.start()]);
  await expect
    .poll(() => sandboxes.getSandbox({ sandboxId }, { caller }).catch(() => undefined), { timeout: 10_000 })
    .toMatchObject({ sandbox: { state: 'STOPPED' } });
  expect(await Promise.all([one.stop(), two.stop()])).toEqual([0, 0]);
}, 60_000);

test('templates and languages are listed in pages', async () => {
  const url = await postgres.createDatabase();
  await using session = startService('session', {
    DATABASE_URL: url,
    NATS_URL: nats.url,
    SESSION_ADDRESS: '127.0.0.1:0',
    SESSION_METRICS_ADDRESS: '127.0.0.1:0',
  });
  using templates = createClient(TemplateServiceDefinition, `127.0.0.1:${await session.listening}`);
  expect(await templates.getTemplate({ templateId: 'python' })).toMatchObject({
    template: { id: 'python', defaultLimits: { processes: 128 }, languages: expect.arrayContaining(['python']) },
  });
  await expect(templates.getTemplate({ templateId: 'nope' })).rejects.toMatchObject({ reason: 'TEMPLATE_NOT_FOUND' });
  const names: string[] = [];
  let pageToken = '';
  do {
    const answer = await templates.listLanguages({ pageSize: 4, pageToken });
    names.push(...answer.languages.map(({ name }) => name));
    pageToken = answer.nextPageToken;
  } while (pageToken);
  expect(names).toEqual(names.toSorted());
  expect(names).toEqual(
    expect.arrayContaining([
      'python',
      'javascript',
      'typescript',
      'bash',
      'c',
      'cpp',
      'go',
      'java',
      'ruby',
      'perl',
      'php',
      'lua',
      'rust',
    ]),
  );
}, 30_000);
