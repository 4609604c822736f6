import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Platform } from '../../deploy/local/platform.ts';
import { connectGrpc, connectHttp } from '../support/api.ts';
import { startTestPlatform } from '../support/platform.ts';
import { type Span, startTraceCollector } from '../support/trace-collector.ts';
import { CALLS, connectWire, type PublicCall, type Wire } from '../support/wire.ts';

const SECRET = `secret-${randomBytes(16).toString('hex')}`;

type Entry = Record<string, unknown>;

/** A platform with one executor, which exports its traces or not, and every line that its services log. */
async function startObserved(environment: Record<string, string>) {
  const lines: { process: string; text: string }[] = [];
  const platform = await startTestPlatform({
    executors: 1,
    environment: { LOG_LEVEL: 'trace', OTEL_BSP_SCHEDULE_DELAY: '100', ...environment },
    onLine: (process, text) => void lines.push({ process, text }),
  });
  const entries = (): Entry[] =>
    lines.filter(({ process }) => platform.metricsUrls.has(process)).map(({ text }) => JSON.parse(text));
  return { platform, lines, entries };
}

describe('with a collector of traces', () => {
  let collector: Awaited<ReturnType<typeof startTraceCollector>>;
  let platform: Platform;
  let observed: Awaited<ReturnType<typeof startObserved>>;
  let wire: Wire;
  let sandboxId = '';
  beforeAll(async () => {
    collector = await startTraceCollector();
    observed = await startObserved({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
    platform = observed.platform;
    wire = connectWire(platform, platform.apiKey);
    using api = connectGrpc(platform, platform.apiKey);
    sandboxId = (await api.createSandbox()).id;
  });
  afterAll(async () => {
    wire[Symbol.dispose]();
    await platform[Symbol.asyncDispose]();
    await collector[Symbol.asyncDispose]();
  });

  /** Makes a call within a trace of its own, and answers with the trace's id and the id of the caller's span. */
  async function traced(transport: 'grpc' | 'http', call: PublicCall, request: Parameters<Wire['grpc']>[1]) {
    const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
    const { code, message } = await wire[transport](call, request, { traceparent: `00-${traceId}-${spanId}-01` });
    expect(message === '' || message === 'OK', message).toBe(true);
    expect(code).toBe(0);
    return { traceId, spanId };
  }

  const trace = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId);

  /** Services from the root down to a span, each once where it follows itself. */
  function pathTo(span: Span, spans: Span[]): string[] {
    const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
    const above = parent ? pathTo(parent, spans) : [];
    return above.at(-1) === span.service ? above : [...above, span.service];
  }

  describe.each(['grpc', 'http'] as const)('over %s', (transport) => {
    test.each<[string, PublicCall, () => Parameters<Wire['grpc']>[1], agent: string, path: string[]]>([
      [
        'CreateSandbox',
        CALLS.createSandbox,
        () => ({ template: 'python', lifetime: '5s' }),
        'agent/Bind',
        ['gateway', 'scheduler', 'executor'],
      ],
      [
        'StartProcess',
        CALLS.startProcess,
        () => ({ sandboxId, command: ['true'] }),
        'agent/Start',
        ['gateway', 'executor'],
      ],
      [
        'RunCode',
        CALLS.runCode,
        () => ({ language: 'python', source: 'print(1)' }),
        'agent/Run',
        ['gateway', 'scheduler', 'executor'],
      ],
    ])('%s is one trace, from the caller to the agent', async (name, call, request, agent, path) => {
      const { traceId, spanId } = await traced(transport, call, request());
      await expect.poll(() => trace(traceId).map((span) => span.name), { timeout: 10_000 }).toContain(agent);
      const inside = () => trace(traceId).find((span) => span.name === agent)!;
      const services = path.map((service) => `drydock-${service}`);
      await expect.poll(() => pathTo(inside(), trace(traceId)), { timeout: 10_000 }).toEqual(services);
      if (name !== 'StartProcess')
        expect(trace(traceId).filter(({ service }) => service === 'drydock-session')).not.toEqual([]);
      // Every span hangs on another one of the trace, but for the first, which hangs on the caller's.
      const roots = () => {
        const known = new Set(trace(traceId).map((span) => span.spanId));
        return trace(traceId).filter(({ parentSpanId }) => !known.has(parentSpanId));
      };
      await expect
        .poll(roots, { timeout: 10_000 })
        .toMatchObject([{ service: 'drydock-gateway', parentSpanId: spanId }]);
    });
  });

  test('log lines are JSON, and those of a call carry its trace and its sandbox', async () => {
    const { traceId } = await traced('http', CALLS.startProcess, { sandboxId, command: ['true'] });
    const ofTrace = () => observed.entries().filter((entry) => entry.traceId === traceId);
    await expect.poll(() => new Set(ofTrace().map(({ service }) => service))).toEqual(new Set(['gateway', 'executor']));
    for (const entry of ofTrace())
      expect(entry).toMatchObject({
        sandboxId,
        spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
        msg: expect.any(String),
      });
  });

  test('NATS forbids no service what it does', async () => {
    const submission = { language: 'python', source: 'print(1)' };
    const { body } = await connectHttp(platform, platform.apiKey)('POST', '/v1/executions', submission);
    const ended = await connectHttp(platform, platform.apiKey)('GET', `/v1/executions/${body.id}?wait=60s`);
    expect(ended.body).toMatchObject({ verdict: 'ACCEPTED' });
    const brief = await wire.http(CALLS.createSandbox, { template: 'python', lifetime: '1s' });
    expect(brief.code).toBe(0);
    await traced('grpc', CALLS.getTemplate, { templateId: 'python' });
    const refusals = observed.entries().filter(({ msg }) => /^NATS (forbids|refuses)|^event refused/.test(`${msg}`));
    expect(refusals).toEqual([]);
  });

  test('no secret is logged or exported', async () => {
    using api = connectGrpc(platform, platform.apiKey);
    const { secret, apiKey } = await api.auth.createApiKey({
      displayName: 'k',
      scopes: ['sandboxes', 'executions'],
      requestId: '',
      expireTime: undefined,
    });
    using own = connectWire(platform, secret);
    const environment = { TOKEN: SECRET };
    await own.http(CALLS.createSandbox, { template: 'python', environment, lifetime: '5s' });
    await own.grpc(CALLS.runCode, { language: 'python', source: `print("${SECRET}")`, environment, stdin: SECRET });
    await own.grpc(CALLS.startProcess, { sandboxId, command: ['echo', SECRET], environment });
    // Refused ones too, and one whose key is no more.
    await own.http(CALLS.createSandbox, { template: SECRET, environment });
    await own.http(CALLS.runCode, { language: 'python', source: SECRET, environment: { ...environment, '': SECRET } });
    await api.auth.revokeApiKey({ apiKeyId: apiKey!.id, revokeDescendants: false });
    await expect
      .poll(async () => (await own.http(CALLS.createSandbox, { template: 'python' })).reason)
      .toBe('CREDENTIAL_INVALID');
    const { token } = await api.auth.exchangeToken({});
    using byToken = connectWire(platform, token);
    await byToken.http(CALLS.getTemplate, { templateId: 'python' });

    const logged = observed.lines.map(({ text }) => text).join('\n');
    expect(logged).toContain('request ended');
    const { password } = new URL(platform.databaseUrl);
    for (const hidden of [SECRET, secret, platform.apiKey, token, password]) {
      expect(logged).not.toContain(hidden);
      expect(JSON.stringify(collector.spans)).not.toContain(hidden);
    }
  });
});

test('traces are off unless a collector is named', async () => {
  const { platform, entries } = await startObserved({});
  await using _ = platform;
  using api = connectGrpc(platform, platform.apiKey);
  await api.runCode({ language: 'python', source: 'print(1)' });
  const calls = entries().filter(({ msg }) => msg === 'call ended');
  expect(calls).not.toEqual([]);
  expect(calls.filter(({ traceId }) => traceId)).toEqual([]);
});

test('every service measures durations from half a millisecond on', async () => {
  const { metricsUrls } = inject('platform');
  for (const [name, url] of Object.entries(metricsUrls)) {
    const metrics = await (await fetch(url)).text();
    const histograms = [...metrics.matchAll(/^# TYPE (\w+_seconds) histogram$/gm)].map(([, metric]) => metric);
    expect(histograms, name).toContain('rpc_server_duration_seconds');
    for (const metric of histograms)
      if (metrics.includes(`${metric}_bucket`))
        expect(metrics, name).toMatch(new RegExp(`^${metric}_bucket{le="0\\.0005"`, 'm'));
  }
});
