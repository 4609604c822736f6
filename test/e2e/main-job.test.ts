import { afterAll, describe, expect, inject, test } from 'vitest';
import { connectGrpc, connectHttp } from '../support/api.ts';

const platform = inject('platform');
const grpc = connectGrpc(platform, platform.apiKey);
const http = connectHttp(platform, platform.apiKey);
afterAll(() => grpc[Symbol.dispose]());

describe('the main job over gRPC', () => {
  test('a sandbox runs commands, keeps files, and is gone when it is deleted', async () => {
    const sandbox = await grpc.createSandbox({
      environment: { GREETING: 'hello' },
      metadata: { user: '42' },
    });
    expect(sandbox).toMatchObject({
      state: 'RUNNING',
      template: 'python',
      metadata: { user: '42' },
    });
    const said = await grpc.command(sandbox.id, ['python3', '-c', 'import os; print(os.environ["GREETING"])']);
    expect(said).toMatchObject({
      stdout: 'hello\n',
      stderr: '',
      exited: { exitCode: 0 },
    });

    await grpc.writeFile(sandbox.id, 'data/in.txt', 'x'.repeat(300_000));
    const counted = await grpc.command(sandbox.id, ['wc', '-c', 'data/in.txt']);
    expect(counted.stdout).toBe('300000 data/in.txt\n');
    expect((await grpc.readFile(sandbox.id, '/home/user/data/in.txt')).length).toBe(300_000);

    await grpc.deleteSandbox(sandbox.id);
    const { sandbox: stopped } = await grpc.sandboxes.getSandbox({
      sandboxId: sandbox.id,
    });
    expect(stopped).toMatchObject({ state: 'STOPPED', stopReason: 'DELETED' });
    await expect(grpc.command(sandbox.id, ['true'])).rejects.toMatchObject({
      reason: 'SANDBOX_NOT_RUNNING',
    });
  });

  test('a program is run to a verdict, with what it used', async () => {
    const execution = await grpc.runCode({
      language: 'python',
      source: 'import sys\nprint(sys.argv[1], input())\nprint("oops", file=sys.stderr)',
      arguments: ['argument'],
      stdin: 'input',
      expectedOutput: 'argument input',
    });
    expect(execution).toMatchObject({
      state: 'FINISHED',
      verdict: 'ACCEPTED',
      exitCode: 0,
      stdout: 'argument input\n',
      stderr: 'oops\n',
    });
    expect(execution.usage?.peakMemoryBytes).toBeGreaterThan(1_000_000);
    const { execution: recorded } = await grpc.executions.getExecution({
      executionId: execution.id,
      wait: undefined,
    });
    expect(recorded).toMatchObject({
      verdict: 'ACCEPTED',
      stdout: 'argument input\n',
    });
  });

  test('input is written, signals arrive and terminals have a size', async () => {
    const { id: sandboxId } = await grpc.createSandbox();
    const events = grpc.start(sandboxId, ['cat'], { openStdin: true })[Symbol.asyncIterator]();
    const started = (await events.next()).value?.event;
    const processId = started?.$case === 'started' ? started.value.processId : '';
    await grpc.processes.writeProcessInput({
      sandboxId,
      processId,
      input: { $case: 'text', value: 'ping\n' },
      close: false,
    });
    expect((await events.next()).value?.event).toMatchObject({
      $case: 'stdout',
      value: { content: { value: 'ping\n' } },
    });
    await grpc.processes.signalProcess({
      sandboxId,
      processId,
      signal: 'SIGTERM',
    });
    expect((await events.next()).value?.event).toMatchObject({
      $case: 'exited',
      value: { signal: 'SIGTERM' },
    });

    const size = await grpc.command(sandboxId, ['stty', 'size'], {
      terminal: { columns: 100, rows: 30 },
    });
    expect(size.stdout.trim()).toBe('30 100');
    await grpc.deleteSandbox(sandboxId);
  });

  test('a detached process is left and joined again', async () => {
    const { id: sandboxId } = await grpc.createSandbox();
    const source = 'import time\nprint("first", flush=True)\ninput()\nprint("second")';
    let processId = '';
    for await (const { event } of grpc.start(sandboxId, ['python3', '-c', source], {
      detached: true,
      openStdin: true,
    })) {
      if (event?.$case === 'started') processId = event.value.processId;
      if (event?.$case === 'stdout') break;
    }
    await grpc.processes.writeProcessInput({
      sandboxId,
      processId,
      input: { $case: 'text', value: '\n' },
      close: true,
    });
    const seen: string[] = [];
    const joined = grpc.processes.connectProcess({
      sandboxId,
      processId,
      stdoutOffset: 6,
      stderrOffset: 0,
    });
    for await (const { event } of joined) {
      if (event?.$case === 'stdout') seen.push(String(event.value.content?.value));
      if (event?.$case === 'exited') expect(event.value.exitCode).toBe(0);
    }
    expect(seen.join('')).toBe('second\n');
    await grpc.deleteSandbox(sandboxId);
  });

  test('the same request makes one sandbox, another content is refused', async () => {
    const requestId = `once-${Date.now()}`;
    const [first, second] = await Promise.all([grpc.createSandbox({ requestId }), grpc.createSandbox({ requestId })]);
    expect(second.id).toBe(first.id);
    await expect(grpc.createSandbox({ requestId, metadata: { other: 'yes' } })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
    await grpc.deleteSandbox(first.id);
  });

  test('a sandbox ends with its lifetime', async () => {
    const { id } = await grpc.createSandbox({
      lifetime: { seconds: 1, nanos: 0 },
    });
    const state = async () => (await grpc.sandboxes.getSandbox({ sandboxId: id })).sandbox;
    await expect.poll(state, { timeout: 10_000 }).toMatchObject({ state: 'STOPPED', stopReason: 'EXPIRED' });
  });
});

describe('the main job over HTTP', () => {
  test('a sandbox runs commands, keeps files, and is gone when it is deleted', async () => {
    const { status, body: sandbox } = await http('POST', '/v1/sandboxes', {
      template: 'python',
      lifetime: '60s',
    });
    expect({ status, state: sandbox.state }).toEqual({
      status: 200,
      state: 'RUNNING',
    });
    const path = `/v1/sandboxes/${sandbox.id}`;

    const ran = await http('POST', `${path}/processes`, {
      command: ['python3', '-c', 'print("hällo")'],
    });
    const lines = ran.body
      .trim()
      .split('\n')
      .map((line: string) => JSON.parse(line));
    expect(lines).toMatchObject([{ started: {} }, { stdout: { text: 'hällo\n' } }, { exited: { exitCode: 0 } }]);

    const put = await fetch(`${platform.httpUrl}${path}/files/a/b.bin`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${platform.apiKey}` },
      body: Buffer.from([0, 255, 1]),
    });
    expect(await put.json()).toMatchObject({
      file: { path: '/home/user/a/b.bin', sizeBytes: '3' },
    });
    const got = await fetch(`${platform.httpUrl}${path}/files//home/user/a/b.bin`, {
      headers: { authorization: `Bearer ${platform.apiKey}` },
    });
    expect(Buffer.from(await got.arrayBuffer())).toEqual(Buffer.from([0, 255, 1]));
    expect((await http('GET', `${path}/files/a:list`)).body.files).toMatchObject([{ name: 'b.bin', type: 'FILE' }]);
    expect((await http('GET', `${path}/files/a/b.bin:stat`)).body.file).toMatchObject({ mode: 0o644 });
    expect((await http('POST', `${path}/files/c/d:mkdir`, {})).status).toBe(200);
    expect((await http('DELETE', `${path}/files/a?recursive=true`)).status).toBe(200);
    expect((await http('GET', `${path}/files/a:stat`)).body.details[0].reason).toBe('FILE_NOT_FOUND');

    expect(
      (
        await http('PATCH', path, {
          metadata: { a: 'b' },
          updateMask: 'metadata',
        })
      ).body.metadata,
    ).toEqual({ a: 'b' });
    expect((await http('GET', '/v1/sandboxes?states=RUNNING&metadataFilters=a%3Db')).body.sandboxes).toHaveLength(1);
    expect((await http('DELETE', path)).status).toBe(200);
    expect((await http('GET', path)).body).toMatchObject({
      state: 'STOPPED',
      stopReason: 'DELETED',
    });
  });

  test('a person with curl sees text', async () => {
    const { body } = await http('POST', '/v1/executions:run', {
      language: 'python',
      source: 'print(6 * 7)',
    });
    expect(body).toMatchObject({
      verdict: 'ACCEPTED',
      exitCode: 0,
      stdout: '42\n',
      stderr: '',
    });
  });

  test('a failing program is a result', async () => {
    const { status, body } = await http('POST', '/v1/executions:run', {
      language: 'python',
      source: 'raise SystemExit(3)',
    });
    expect({ status, verdict: body.verdict, exitCode: body.exitCode }).toEqual({
      status: 200,
      verdict: 'RUNTIME_ERROR',
      exitCode: 3,
    });
  });

  test('events come as they happen, as lines or as server-sent events', async () => {
    const request = { language: 'python', source: 'print("one")' };
    const { body } = await http('POST', '/v1/executions:stream', request);
    const events = body
      .trim()
      .split('\n')
      .map((line: string) => Object.keys(JSON.parse(line))[0]);
    // Output is not held back, so that a line may come in two pieces.
    expect(events.filter((name: string, at: number) => name !== events[at - 1])).toEqual([
      'runStarted',
      'stdout',
      'execution',
    ]);
    const sse = await fetch(`${platform.httpUrl}/v1/executions:stream`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${platform.apiKey}`,
        accept: 'text/event-stream',
      },
      body: JSON.stringify(request),
    });
    expect(sse.headers.get('content-type')).toMatch('text/event-stream');
    expect(await sse.text()).toMatch(/^data: \{"runStarted"/);
  });
});
