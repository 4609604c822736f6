import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, inject, test } from 'vitest';
import { connectHttp } from '../support/api.ts';
import { createTenant } from '../support/tenants.ts';
import { zipOf } from '../support/zip.ts';

const platform = inject('platform');
const http = connectHttp(platform, platform.apiKey);
const authorization = `Bearer ${platform.apiKey}`;
const MiB = 1024 * 1024;

const hashOf = (data: Buffer) => createHash('sha256').update(data).digest('hex');

async function put(data: Buffer, sha256 = hashOf(data)) {
  const response = await fetch(`${platform.httpUrl}/v1/blobs/${sha256}`, {
    method: 'PUT',
    headers: { authorization },
    body: new Uint8Array(data),
  });
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
  return { status: response.status, body: (await response.json()) as any };
}

async function get(sha256: string) {
  const response = await fetch(`${platform.httpUrl}/v1/blobs/${sha256}`, { headers: { authorization } });
  return { status: response.status, data: Buffer.from(await response.arrayBuffer()) };
}

/** Resident bytes of the gateway and of session. */
async function resident(): Promise<Record<string, number>> {
  const named = ['gateway', 'session'].map(async (name) => {
    const text = await (await fetch(platform.metricsUrls[name]!)).text();
    return [name, Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1])];
  });
  return Object.fromEntries(await Promise.all(named));
}

const run = async (body: Record<string, unknown>) => (await http('POST', '/v1/executions:run', body)).body;
/** Prints the hash of its input. */
const HASHES = 'import sys, hashlib\nprint(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())';

describe('blobs', () => {
  test('go in and out as they are', async () => {
    const data = randomBytes(3 * MiB + 17);
    const sha256 = hashOf(data);
    expect(await put(data)).toMatchObject({ status: 200, body: { sha256, sizeBytes: String(data.length) } });
    const found = await get(sha256);
    expect(found.data.equals(data)).toBe(true);
    const missing = hashOf(randomBytes(8));
    const { body } = await http('POST', '/v1/blobs:stat', { sha256s: [missing, sha256] });
    expect(body).toMatchObject({ blobs: [{ sha256 }], missingSha256s: [missing] });
  });

  test('have the hash that their path names', async () => {
    const { status, body } = await put(Buffer.from('bytes'), hashOf(Buffer.from('others')));
    expect({ status, reason: body.details[0].reason }).toEqual({ status: 400, reason: 'BLOB_HASH_MISMATCH' });
  });

  test('of another organisation are not there', async () => {
    const sha256 = (await put(randomBytes(8))).body.sha256;
    using tenant = await createTenant(platform);
    const { status, body } = await tenant.http('POST', '/v1/executions:run', {
      language: 'python',
      source: 'pass',
      stdinBlob: sha256,
    });
    expect({ status, reason: body.details[0].reason }).toEqual({ status: 404, reason: 'BLOB_NOT_FOUND' });
    expect(body.details[0].metadata).toEqual({ sha256, count: '1' });
  });
});

test('256 MiB go up and down through services that hold little of them', { timeout: 240_000 }, async () => {
  const piece = randomBytes(MiB);
  const hash = createHash('sha256');
  for (let n = 0; n < 256; n++) hash.update(piece);
  const sha256 = hash.digest('hex');
  const before = await resident();
  const peak = { ...before };
  const ended = new AbortController();
  const watching = (async () => {
    while (!ended.signal.aborted)
      for (const [name, bytes] of Object.entries(await resident())) peak[name] = Math.max(peak[name] ?? 0, bytes);
  })();
  const body = Readable.from(Array.from({ length: 256 }, () => piece));
  const put = { method: 'PUT', headers: { authorization }, body, duplex: 'half' } as unknown as RequestInit;
  expect((await fetch(`${platform.httpUrl}/v1/blobs/${sha256}`, put)).status).toBe(200);
  const response = await fetch(`${platform.httpUrl}/v1/blobs/${sha256}`, { headers: { authorization } });
  const read = createHash('sha256');
  for await (const data of response.body!) read.update(data);
  ended.abort();
  await watching;
  expect(read.digest('hex')).toBe(sha256);
  const grown = Object.entries(peak).map(([name, bytes]) => [name, Math.round((bytes - before[name]!) / MiB)] as const);
  process.stdout.write(`resident memory grew by, in MiB: ${grown.map((each) => each.join(' ')).join(', ')}\n`);
  for (const [name, growth] of grown) expect(growth, name).toBeLessThan(100);
});

describe.each(['CELL', 'SANDBOX'])('in a %s', (isolation) => {
  test('an input may be any bytes', async () => {
    const stdinBytes = Buffer.from([0, 0xff, 0xfe, 10, 0]);
    const { verdict, stdout } = await run({
      language: 'python',
      source: HASHES,
      stdinBytes: stdinBytes.toString('base64'),
      isolation,
    });
    expect({ verdict, stdout }).toEqual({ verdict: 'ACCEPTED', stdout: `${hashOf(stdinBytes)}\n` });
  });

  test('an input, an expected output and a file may be blobs, of any size', async () => {
    const [input, data] = [randomBytes(6 * MiB), randomBytes(2 * MiB)];
    const expected = Buffer.from(`${hashOf(input)} ${hashOf(data)}\n`);
    await Promise.all([input, data, expected].map((each) => put(each)));
    const source = `import sys, hashlib
h = lambda b: hashlib.sha256(b).hexdigest()
print(h(sys.stdin.buffer.read()), h(open("data.bin", "rb").read()))`;
    const request = {
      language: 'python',
      files: [
        { name: 'main.py', text: source },
        { name: 'data.bin', blob: hashOf(data) },
      ],
      stdinBlob: hashOf(input),
      expectedOutputBlob: hashOf(expected),
      isolation,
    };
    // The second time from the executor's disk.
    for (const _ of [1, 2]) expect(await run(request)).toMatchObject({ verdict: 'ACCEPTED', stdout: `${expected}` });
    const wrong = await run({ ...request, expectedOutputBlob: hashOf(data) });
    expect(wrong.verdict).toBe('WRONG_ANSWER');
  });

  test('a checker sees what blobs hold', async () => {
    const input = randomBytes(2 * MiB);
    const answer = Buffer.from(hashOf(input));
    await Promise.all([put(input), put(answer)]);
    const checker = `import sys, hashlib
i, o, e = (open(p, "rb").read() for p in sys.argv[1:])
sys.exit(0 if hashlib.sha256(i).hexdigest() == o.decode().strip() == e.decode() else 1)`;
    const request = {
      language: 'python',
      stdinBlob: hashOf(input),
      expectedOutputBlob: hashOf(answer),
      checker: { language: 'python', source: checker },
      isolation,
    };
    expect(await run({ ...request, source: HASHES })).toMatchObject({ verdict: 'ACCEPTED' });
    expect(await run({ ...request, source: 'print("x")' })).toMatchObject({ verdict: 'WRONG_ANSWER' });
  });
});

describe('a test set', () => {
  const cases = [
    { name: 'small', stdin: '2 3', expectedOutput: '5' },
    { name: 'negative', stdin: '-2 3', expectedOutput: '1' },
  ];
  const create = async (fields: object = {}) =>
    (await http('POST', '/v1/testSets', { name: 'sum', version: '1', cases, ...fields })).body;
  const RIGHT = { language: 'python', source: 'print(sum(map(int, input().split())))' };

  test('is registered once, and judges programs that are run and that are queued', async () => {
    const { id: testSet, caseCount } = await create();
    expect(caseCount).toBe(2);
    expect(await run({ ...RIGHT, testSet })).toMatchObject({
      verdict: 'ACCEPTED',
      cases: [
        { name: 'small', verdict: 'ACCEPTED' },
        { name: 'negative', verdict: 'ACCEPTED' },
      ],
    });
    const { body: queued } = await http('POST', '/v1/executions:batch', {
      requests: [
        { ...RIGHT, testSet },
        { language: 'python', source: 'print(5)', testSet },
      ],
    });
    const ids = queued.results.map(({ execution }: { execution: { id: string } }) => execution.id);
    const ended = await Promise.all(ids.map((id: string) => http('GET', `/v1/executions/${id}?wait=60s`)));
    expect(ended.map(({ body }) => body.verdict)).toEqual(['ACCEPTED', 'WRONG_ANSWER']);
    expect(ended[1]!.body.cases).toMatchObject([{ verdict: 'ACCEPTED' }, { verdict: 'WRONG_ANSWER' }]);
  });

  test('may have a thousand cases, whose outputs together are shown to 4 MiB', async () => {
    const many = Array.from({ length: 1000 }, (_, n) => ({ name: `${n}`, stdin: `${n}`, expectedOutput: `${n}` }));
    const { id: testSet } = await create({ cases: many, limits: { wallTime: '2s' } });
    const source = 'import sys\nprint(input())\nsys.stderr.write("x" * 10000)';
    const { body } = await http('POST', '/v1/executions', { language: 'python', source, testSet });
    let execution = body;
    for (let n = 0; n < 4 && execution.state !== 'FINISHED'; n++)
      execution = (await http('GET', `/v1/executions/${body.id}?wait=60s`)).body;
    expect(execution).toMatchObject({ state: 'FINISHED', verdict: 'ACCEPTED' });
    expect(execution.cases).toHaveLength(1000);
    expect(execution.cases[999]).toMatchObject({ name: '999', stdout: '999\n', stderrTruncated: true });
    expect(execution.cases[999].stderr).toHaveLength(2097);
  });

  test('has limits that programs keep to, by language', async () => {
    const { id: testSet } = await create({ limits: { wallTime: '0.7s' }, timeMultipliers: { javascript: 4 } });
    const slow = await run({ language: 'python', source: 'import time\ntime.sleep(1.5)\nprint(5)', testSet });
    expect(slow.verdict).toBe('WALL_TIME_EXCEEDED');
    const source = 'setTimeout(() => console.log(5), 1500)';
    const patient = await run({ language: 'javascript', source, testSet, stopAtFirstFailure: true });
    expect(patient.cases[0].verdict).toBe('ACCEPTED');
  });

  test('is deleted', async () => {
    const { id } = await create();
    expect((await http('DELETE', `/v1/testSets/${id}`)).status).toBe(200);
    const { status, body } = await http('POST', '/v1/executions:run', { ...RIGHT, testSet: id });
    expect({ status, reason: body.details[0].reason }).toEqual({ status: 404, reason: 'TEST_SET_NOT_FOUND' });
  });
});

describe('an import', () => {
  async function send(zip: Buffer, query = '') {
    const response = await fetch(`${platform.httpUrl}/v1/testSets:import${query}`, {
      method: 'POST',
      headers: { authorization },
      body: new Uint8Array(zip),
    });
    // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
    return { status: response.status, body: (await response.json()) as any };
  }

  test('of a problem package judges as the package says', async () => {
    const { status, body } = await send(
      zipOf({
        'sum/problem.yaml': 'name: Sum\nvalidator_flags: float_tolerance 1e-3\nlimits:\n  memory: 256\n',
        'sum/.timelimit': '1',
        'sum/data/sample/1.in': '1 2\n',
        'sum/data/sample/1.ans': '3\n',
        'sum/data/secret/1.in': '0.5 0.25\n',
        'sum/data/secret/1.ans': '0.75\n',
        'sum/submissions/accepted/a.py': '',
      }),
      '?version=2',
    );
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { testSet: { name: 'Sum', version: '2', caseCount: 2 }, notes: [{ file: 'submissions/' }] },
    });
    const { id: testSet } = body.testSet;
    const judge = async (source: string) => (await run({ language: 'python', source, testSet })).verdict;
    expect(await judge('print(sum(map(float, input().split())) + 1e-4)')).toBe('ACCEPTED');
    expect(await judge('print(sum(map(float, input().split())) + 1e-2)')).toBe('WRONG_ANSWER');
    // On a busy machine a second of CPU time takes longer than four.
    expect(await judge('while True: pass')).toMatch(/^(CPU|WALL)_TIME_EXCEEDED$/);
  });

  test('names what is not offered, and what is wrong', async () => {
    const empty = await send(zipOf({ 'problem.yaml': 'validation: default', '1.in': '' }), '?name=x');
    expect(empty).toMatchObject({
      status: 400,
      body: { details: [{ reason: 'PACKAGE_INVALID' }, { fieldViolations: [{ field: 'data/' }] }] },
    });
    const { status, body } = await send(Buffer.from('no zip'), '?name=x');
    expect({ status, reason: body.details[0].reason }).toEqual({ status: 400, reason: 'PACKAGE_INVALID' });
  });
});
