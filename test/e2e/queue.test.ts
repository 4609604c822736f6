import { afterAll, describe, expect, inject, test } from 'vitest';
import { type Execution, SubmitExecutionRequest, TestCase } from '#proto/drydock/v1/execution.ts';
import { connectGrpc, connectHttp } from '../support/api.ts';

const platform = inject('platform');
const grpc = connectGrpc(platform, platform.apiKey);
const http = connectHttp(platform, platform.apiKey);
afterAll(() => grpc[Symbol.dispose]());

const submit = async (fields: Partial<SubmitExecutionRequest>): Promise<Execution> => {
  const request = SubmitExecutionRequest.create({ language: 'python', ...fields });
  return (await grpc.executions.submitExecution(request)).execution!;
};
const ended = async (executionId: string): Promise<Execution> =>
  (await grpc.executions.getExecution({ executionId, wait: { seconds: 60, nanos: 0 } })).execution!;

describe('a submitted program', () => {
  test('is accepted at once, and judged', async () => {
    const execution = await submit({ source: 'print(int(input()) * 2)', stdin: '21', expectedOutput: '42' });
    expect(execution).toMatchObject({ state: 'QUEUED', language: 'python' });
    expect(await ended(execution.id)).toMatchObject({
      state: 'FINISHED',
      verdict: 'ACCEPTED',
      stdout: '42\n',
      exitCode: 0,
      attempts: 1,
    });
  });

  test('is the same over HTTP, with waiting, raw output and a list', async () => {
    const { status, body } = await http('POST', '/v1/executions', { language: 'python', source: 'print("hällo")' });
    expect({ status, state: body.state }).toEqual({ status: 200, state: 'QUEUED' });
    const waited = await http('GET', `/v1/executions/${body.id}?wait=60s`);
    expect(waited.body).toMatchObject({ state: 'FINISHED', verdict: 'ACCEPTED', stdout: 'hällo\n' });
    const raw = await fetch(`${platform.httpUrl}/v1/executions/${body.id}/stdout`, {
      headers: { authorization: `Bearer ${platform.apiKey}` },
    });
    expect(raw.headers.get('content-type')).toBe('application/octet-stream');
    expect(await raw.text()).toBe('hällo\n');
    const { body: list } = await http('GET', '/v1/executions?states=FINISHED&pageSize=1000');
    expect(list.executions.map(({ id }: { id: string }) => id)).toContain(body.id);
  });

  test('is watched from its place in the queue to its verdict', async () => {
    const { id } = await submit({ source: 'print(1)' });
    const states: string[] = [];
    for await (const { execution } of grpc.executions.watchExecution({ executionId: id }))
      states.push(execution!.state);
    expect(states.at(-1)).toBe('FINISHED');
    expect(new Set(states).size).toBe(states.length);
  });

  test('is judged case by case', async () => {
    const { id } = await submit({
      source: 'print(int(input()) ** 2)',
      testCases: [
        { name: 'small', stdin: '2', expectedOutput: '4' },
        { name: 'wrong', stdin: '3', expectedOutput: '8' },
        { name: 'crash', stdin: 'x', expectedOutput: '' },
      ].map((each) => TestCase.create(each)),
    });
    const execution = await ended(id);
    expect(execution.verdict).toBe('WRONG_ANSWER');
    expect(execution.cases.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['small', 'ACCEPTED'],
      ['wrong', 'WRONG_ANSWER'],
      ['crash', 'RUNTIME_ERROR'],
    ]);
  });

  test('is stopped at once when it is cancelled while it runs', async () => {
    const { id } = await submit({
      source: 'import time; time.sleep(200)',
      limits: { wallTime: { seconds: 250, nanos: 0 } } as never,
    });
    await expect
      .poll(async () => (await grpc.executions.getExecution({ executionId: id, wait: undefined })).execution?.state)
      .toBe('RUNNING');
    const started = performance.now();
    const { body } = await http('POST', `/v1/executions/${id}:cancel`, {});
    expect(body).toMatchObject({ state: 'CANCELLED', verdict: 'CANCELLED' });
    expect((await ended(id)).state).toBe('CANCELLED');
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

test('a batch is taken member by member, and all of it is run', async () => {
  const requests = [
    ...Array.from({ length: 40 }, (_, n) => ({ language: 'python', source: `print(${n})` })),
    { language: 'klingon', source: 'x' },
  ];
  const { status, body } = await http('POST', '/v1/executions:batch', { requests });
  expect(status).toBe(200);
  expect(body.results.at(-1)).toMatchObject({ error: { reason: 'LANGUAGE_NOT_FOUND' } });
  const ids: string[] = body.results.slice(0, -1).map(({ execution }: { execution: Execution }) => execution.id);
  const results = await Promise.all(ids.map(ended));
  expect(results.map(({ stdout }) => stdout)).toEqual(ids.map((_, n) => `${n}\n`));
});

test('one that is waited for is cancelled by its id too', async () => {
  const stream = grpc.executions.streamCode({
    ...SubmitExecutionRequest.create({ language: 'python', source: 'import time; time.sleep(60)' }),
    limits: { wallTime: { seconds: 90, nanos: 0 } } as never,
  });
  const last: string[] = [];
  for await (const { event } of stream) {
    if (event?.$case === 'runStarted') await grpc.executions.cancelExecution({ executionId: event.value.executionId });
    if (event?.$case === 'execution') last.push(event.value.state);
  }
  expect(last).toEqual(['CANCELLED']);
});
