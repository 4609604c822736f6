import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, errors, type NatsConnection } from '@nats-io/transport-node';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority } from '#libs/certificates/authority.ts';
import { readTls, type ServiceName, type TlsFiles } from '#libs/grpc/tls.ts';
import { newId } from '#libs/ids.ts';
import { connectEvents, type Events } from '#libs/nats/events.ts';
import {
  ANY,
  API_KEY_REVOKED,
  EXECUTION_CANCELLED,
  EXECUTION_QUEUE,
  EXECUTORS_DISCOVER,
  encode,
  executorAnnounced,
  ORGANIZATION_CHANGED,
  ORGANIZATION_DELETED,
  SANDBOX_CHANGED,
  SETTLED,
  STREAMS,
  sandboxEnded,
  sandboxesInherited,
  WEBHOOKS_DUE,
  workEvent,
} from '#libs/nats/subjects.ts';
import { openWorkQueue } from '#libs/nats/work-queue.ts';
import { ExecutorAnnounced, SandboxChanged, SandboxEnded } from '#proto/drydock/internal/v1/events.ts';
import { ensureCertificates } from '../../deploy/local/certificates.ts';
import { type Nats, startNats } from '../../deploy/local/nats.ts';
import { tlsOfExecutor } from '../support/executor-tls.ts';
import { freePort } from '../support/ports.ts';

const EXECUTORS = ['one', 'two'];
const USERS = ['auth', 'session', 'scheduler', 'gateway', 'executor-one', 'executor-two'] as const;
type User = (typeof USERS)[number];
const log = pino({ level: 'silent' });

const executorTls = new Map<string, TlsFiles>();
let directory: string;
let nats: Nats;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-nats-'));
  const tlsDirectory = join(directory, 'tls');
  await ensureCertificates(tlsDirectory);
  for (const id of EXECUTORS) executorTls.set(id, await tlsOfExecutor(tlsDirectory, id));
  const port = await freePort();
  nats = await startNats({
    dataDirectory: directory,
    runDirectory: directory,
    tlsDirectory,
    executorIds: EXECUTORS,
    port,
  });
});
afterAll(async () => {
  await nats?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

function tlsOf(user: User): TlsFiles {
  const [service, id] = user.split('-') as [ServiceName, string?];
  return id ? executorTls.get(id)! : readTls(join(directory, 'tls'), service)!;
}

/** The events of a user as its service has them. */
const eventsOf = (user: User, { as = user, to = log }: { as?: User; to?: pino.Logger } = {}) =>
  connectEvents({ url: nats.url, name: as, service: as.split('-')[0] as ServiceName, tls: tlsOf(user), log: to });

async function connected(user: User, to = log): Promise<Events & AsyncDisposable> {
  const events = eventsOf(user, { to });
  await new Promise<void>((resolve) => void events.onConnect(resolve));
  return events;
}

/** A connection of a user that does what no service does. */
async function connectAs(user: User): Promise<NatsConnection> {
  const { ca, certificate, key } = tlsOf(user);
  const tls = { ca: `${ca}`, cert: `${certificate}`, key: `${key}` };
  return connect({ servers: new URL(nats.url).host, tls, inboxPrefix: `_INBOX.${user}`, timeout: 2_000 });
}

/** What NATS forbids of what is done, as `publish subject` or `subscription subject`. */
async function forbidden(user: User, act: (connection: NatsConnection) => void): Promise<string[]> {
  const connection = await connectAs(user);
  const found: string[] = [];
  const watching = (async () => {
    for await (const status of connection.status())
      if (status.type === 'error' && status.error instanceof errors.PermissionViolationError)
        found.push(`${status.error.operation} ${status.error.subject}`);
  })();
  act(connection);
  // NATS answers in order, so all it had to say came before.
  await connection.flush();
  await connection.close();
  await watching;
  return found;
}

const NOBODY = 'org_nobody';
const SUBJECTS = {
  revoked: API_KEY_REVOKED.subject,
  changed: ORGANIZATION_CHANGED.subject,
  deleted: ORGANIZATION_DELETED.subject,
  sandboxChanged: SANDBOX_CHANGED.subject,
  cancelled: EXECUTION_CANCELLED.subject,
  ticket: workEvent(EXECUTION_QUEUE, NOBODY).subject,
  settled: SETTLED.subject,
  due: WEBHOOKS_DUE.subject,
  discover: EXECUTORS_DISCOVER.subject,
  ...Object.fromEntries(
    EXECUTORS.flatMap((id) => [
      [`announced ${id}`, executorAnnounced(id).subject],
      [`ended ${id}`, sandboxEnded(id).subject],
      [`inherited ${id}`, sandboxesInherited(id).subject],
    ]),
  ),
};
const ofExecutor = (id: string) => [`announced ${id}`, `ended ${id}`, `inherited ${id}`];
const PUBLISHES: Record<User, string[]> = {
  auth: ['revoked', 'changed', 'deleted'],
  session: ['discover', 'sandboxChanged', 'cancelled', 'ticket', 'settled', 'due'],
  scheduler: ['discover'],
  gateway: ['discover'],
  'executor-one': ofExecutor('one'),
  'executor-two': ofExecutor('two'),
};
const HEARS: Record<User, string[]> = {
  auth: [],
  session: ['settled', 'announced one', 'announced two'],
  scheduler: ['ticket', 'cancelled', 'announced one', 'announced two'],
  gateway: ['revoked', 'changed', 'deleted', 'sandboxChanged', 'due', 'announced one', 'announced two'],
  'executor-one': ['discover', 'deleted', 'sandboxChanged'],
  'executor-two': ['discover', 'deleted', 'sandboxChanged'],
};
const allBut = (names: string[]) =>
  Object.entries(SUBJECTS)
    .filter(([name]) => !names.includes(name))
    .map(([, subject]) => subject);

describe.each(USERS)('%s', (user) => {
  test('publishes on its own subjects and on those of nobody else', async () => {
    const refused = await forbidden(user, (connection) => {
      for (const subject of Object.values(SUBJECTS)) connection.publish(subject);
    });
    expect(refused.sort()).toEqual(
      allBut(PUBLISHES[user])
        .map((subject) => `publish ${subject}`)
        .sort(),
    );
  });

  test('hears what it works with, and no inbox but its own', async () => {
    const inboxes = USERS.map((name) => `_INBOX.${name}.x`);
    const refused = await forbidden(user, (connection) => {
      for (const subject of [...Object.values(SUBJECTS), ...inboxes, '>', '$SYS.>', '_INBOX.>'])
        connection.subscribe(subject, { callback: () => {} });
    });
    const others = [...allBut(HEARS[user]), ...inboxes.filter((name) => name !== `_INBOX.${user}.x`)];
    expect(refused.sort()).toEqual([...others, '>', '$SYS.>', '_INBOX.>'].map((name) => `subscription ${name}`).sort());
  });

  test('deletes no stream, and neither changes nor empties one of another', async () => {
    const admin = STREAMS.flatMap(({ name }) =>
      ['DELETE', 'UPDATE', 'CREATE', 'PURGE', 'MSG.DELETE', 'SNAPSHOT', 'MSG.GET'].map((act) => [name, act] as const),
    );
    const refused = await forbidden(user, (connection) => {
      for (const [name, act] of admin) connection.publish(`$JS.API.STREAM.${act}.${name}`);
    });
    const may = ([name, act]: readonly [string, string]) =>
      (act === 'CREATE' && STREAMS.find((stream) => stream.name === name)!.owner === user) ||
      (act === 'PURGE' && name === 'QUEUE' && ['session', 'scheduler'].includes(user));
    expect(refused.sort()).toEqual(
      admin
        .filter((each) => !may(each))
        .map(([name, act]) => `publish $JS.API.STREAM.${act}.${name}`)
        .sort(),
    );
  });
});

describe('services', () => {
  test('get what they tell each other, each with its own user', async () => {
    await using auth = await connected('auth');
    await using session = await connected('session');
    await using scheduler = await connected('scheduler');
    await using executor = await connected('executor-one');
    const got: unknown[] = [];
    const sandboxId = newId('sbx');
    const organizationId = newId('org');
    const handle = async (event: unknown) => void got.push(event);
    const since = new Date();
    await auth.publishDurable(ORGANIZATION_DELETED, { organizationId }, newId('evt'));
    await using _deleted = session.consumeDurable(ORGANIZATION_DELETED, { durable: 'session', handle });
    await using _changed = session.consumeDurable(ORGANIZATION_CHANGED, { durable: 'session-changed', handle });
    using _followed = executor.follow(ORGANIZATION_DELETED, { since, handle });
    await expect.poll(() => got).toEqual([{ organizationId }, { organizationId }]);

    got.length = 0;
    const changed = SandboxChanged.create({ sandboxId, organizationId, executorId: 'one', state: 'RUNNING' });
    await session.publishDurable(SANDBOX_CHANGED, changed, newId('evt'));
    using _changes = executor.follow(SANDBOX_CHANGED, { since, handle });
    await expect.poll(() => got).toEqual([changed]);

    got.length = 0;
    const ended = SandboxEnded.create({ sandboxId, organizationId, executorId: 'one', reason: 'HOST_LOST' });
    await executor.publishDurable(sandboxEnded('one'), ended, newId('evt'));
    await using _ended = session.consumeDurable(sandboxEnded(ANY), { durable: 'session-ended', handle });
    await using _inherited = session.consumeDurable(sandboxesInherited(ANY), { durable: 'session-taken-over', handle });
    await expect.poll(() => got).toEqual([ended]);

    const tickets = openWorkQueue(scheduler, EXECUTION_QUEUE);
    const signal = new AbortController().signal;
    const ticket = { concurrentExecutions: 1, queueWeight: 1, setTime: undefined };
    await session.publishDurable(workEvent(EXECUTION_QUEUE, organizationId), ticket, newId('evt'));
    const work = await tickets.next(organizationId, 1, signal);
    expect(work?.message).toEqual(ticket);
    work!.extend();
    expect(await openWorkQueue(session, EXECUTION_QUEUE).depths()).toEqual(new Map([[organizationId, 1]]));
    work!.ack();
    await expect.poll(() => tickets.depths()).toEqual(new Map());
  });

  test('do not take for an event what JetStream was made to deliver as one', async () => {
    const refused: { subject: string }[] = [];
    const toRefused = pino({}, { write: (line) => void refused.push(JSON.parse(line)) });
    await using session = await connected('session', toRefused);
    await using gateway = await connected('gateway', toRefused);
    const thief = await connectAs('executor-one');
    const heard: unknown[] = [];
    using _heard = gateway.subscribe(executorAnnounced(ANY), (event) => void heard.push(event));
    await using _ended = session.consumeDurable(sandboxEnded(ANY), {
      durable: 'session-ended',
      handle: async (event) => void heard.push(event),
    });
    const changed = SandboxChanged.create({ sandboxId: newId('sbx'), organizationId: newId('org'), executorId: 'two' });
    const subjects = [executorAnnounced('two'), sandboxEnded('two')].map(({ subject }) => subject);
    await thief.request('$JS.API.CONSUMER.DELETE.SESSION.executor-one');
    for (const reply of subjects) {
      const consumer = 'SESSION.executor-one';
      const filter = SANDBOX_CHANGED.subject;
      const ask = (config: object) =>
        thief.request(
          `$JS.API.CONSUMER.CREATE.${consumer}.${filter}`,
          JSON.stringify({
            stream_name: 'SESSION',
            config: { name: 'executor-one', filter_subject: filter, ...config },
          }),
        );
      const pull = await ask({ ack_policy: 'none', deliver_policy: 'new' });
      expect(pull.json()).not.toHaveProperty('error');
      thief.publish(`$JS.API.CONSUMER.MSG.NEXT.${consumer}`, '1', { reply });
      await thief.flush();
      await session.publishDurable(SANDBOX_CHANGED, changed, newId('evt'));
      await thief.request(`$JS.API.CONSUMER.DELETE.${consumer}`);
      const push = await ask({ ack_policy: 'none', deliver_policy: 'new', deliver_subject: reply });
      expect(push.json()).not.toHaveProperty('error');
      await session.publishDurable(SANDBOX_CHANGED, changed, newId('evt'));
      await thief.request(`$JS.API.CONSUMER.DELETE.${consumer}`);
    }
    // An executor that names another on its own subject.
    thief.publish(executorAnnounced('one').subject, encode(executorAnnounced('two'), lying('two')));
    thief.publish(executorAnnounced('one').subject, encode(executorAnnounced('one'), lying('one')));
    await expect.poll(() => heard).toEqual([lying('one')]);
    const ended = SandboxEnded.create({ sandboxId: newId('sbx'), executorId: 'two' });
    await using two = await connected('executor-two');
    await two.publishDurable(sandboxEnded('two'), ended, newId('evt'));
    await expect.poll(() => heard).toEqual([lying('one'), ended]);
    await thief.close();
    expect(refused.map(({ subject }) => subject)).toContain(SANDBOX_CHANGED.subject);
  });
});

const lying = (executorId: string) => ExecutorAnnounced.create({ executorId, address: '192.0.2.1:7004' });

describe('NATS lets in', () => {
  const server = () => new URL(nats.url).host;

  test('nobody without TLS, or without a certificate', async () => {
    const [host, port] = server().split(':') as [string, string];
    await using socket = createConnection(Number(port), host);
    socket.write('CONNECT {"verbose":true}\r\nPUB drydock.auth.organization.deleted 0\r\n\r\nPING\r\n');
    // Its greeting in the clear, and then the end.
    expect(await text(socket).catch(() => 'INFO ')).not.toMatch(/\+OK|PONG/);
    const { ca } = tlsOf('auth');
    const credential = { servers: server(), tls: { ca: `${ca}` }, timeout: 1_000 };
    await expect(connect(credential)).rejects.toThrow();
    await expect(connect({ ...credential, user: 'auth', pass: 'x' })).rejects.toThrow();
  });

  const said = async (options: { as?: User; tls: TlsFiles; url?: string }) => {
    const lines: { level: number; msg: string }[] = [];
    const to = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });
    const { as = 'auth', url = nats.url, tls } = options;
    await using _ = connectEvents({ url, name: as, service: as.split('-')[0] as ServiceName, tls, log: to });
    await expect.poll(() => lines.length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).not.toContain('PRIVATE');
    return lines.map(({ msg }) => msg)[0];
  };

  test('nobody whose certificate another authority signed, who is told so', async () => {
    const other = await createAuthority('other');
    const { certificate, key } = await other.issue('CN=auth', { dns: ['auth'] });
    const stolen = { certificate: Buffer.from(certificate), key: Buffer.from(key) };
    expect(await said({ tls: { ...tlsOf('auth'), ...stolen } })).toMatch(
      /one authority signed the certificates of both/,
    );
    const ca = Buffer.from(other.certificate);
    expect(await said({ tls: { ...tlsOf('auth'), ca } })).toMatch(/one authority signed the certificates of both/);
  });

  test('a service with the certificate of another for no more than that one may, and it is told so', async () => {
    expect(await said({ as: 'session', tls: tlsOf('auth') })).toMatch(/of this service and no other/);
  });

  test('no executor that it was not told of', async () => {
    await using platform = await startNatsWithout('two');
    expect(await said({ as: 'executor-two', tls: tlsOf('executor-two'), url: platform.url })).toMatch(
      /NATS refuses this/,
    );
  });
});

/** The same authority, and a NATS that does not know one executor. */
async function startNatsWithout(executorId: string): Promise<Nats> {
  const dataDirectory = join(directory, 'other');
  const tlsDirectory = join(directory, 'tls');
  const executorIds = EXECUTORS.filter((id) => id !== executorId);
  return startNats({ dataDirectory, runDirectory: dataDirectory, tlsDirectory, executorIds, port: await freePort() });
}
