import { register } from 'prom-client';
import { beforeEach, expect, test, vi } from 'vitest';
import { DrydockError, type Reason } from '#libs/errors.ts';
import { Exited, type StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import { AppliedLimits, ExecutionSpec, type SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Execution } from '#proto/drydock/v1/execution.ts';
import { type Dependencies, runExecution } from './execution.ts';
import { createShares } from './shares.ts';
import { createSlots } from './slots.ts';

const MiB = 1024 * 1024;
const SECOND = { seconds: 1, nanos: 0 };
const limits = AppliedLimits.fromPartial({
  wallTime: SECOND,
  cpuTime: SECOND,
  memoryBytes: 256 * MiB,
  processes: 64,
  diskBytes: 64 * MiB,
  cpus: 1,
  outputBytes: MiB,
});

/** The engine has room for one sandbox, and cannot change its limits. The next claims fail for these reasons. */
let live: number;
let claims: (Reason | undefined)[];
let claimed: SandboxSpec[];
let commands: string[];
let exitCodes: Record<string, number>;
let isRenewable: boolean;
const log = { warn: vi.fn() };

beforeEach(() => {
  register.clear();
  live = 0;
  claims = [];
  claimed = [];
  commands = [];
  exitCodes = { run: 1, check: 1 };
  isRenewable = true;
  log.warn.mockClear();
});

async function* start({ processId, command }: StartRequest) {
  commands.push(command[0]!);
  yield { event: { $case: 'started', value: { processId, pid: 1 } } };
  yield { event: { $case: 'exited', value: Exited.create({ exitCode: exitCodes[command[0]!] ?? 0 }) } };
}

function dependencies(): Dependencies {
  const link = {
    files: { write: async () => {}, makeDirectory: async () => {} },
    processes: { start },
    control: {
      keep: async () => {},
      async renew() {
        if (!isRenewable) throw new DrydockError('INTERNAL', 'nothing is kept');
      },
    },
  };
  const sandboxes = {
    async claim(spec: SandboxSpec) {
      const reason = claims.shift() ?? (live > 0 ? 'NO_CAPACITY' : undefined);
      if (reason) throw new DrydockError(reason, 'not now');
      live++;
      claimed.push(spec);
      const instance = { id: 'ins_1', link };
      return { ...spec, instance, lifetime: new AbortController() };
    },
    async destroy() {
      await new Promise(setImmediate);
      live = 0;
    },
  };
  const backend = { capabilities: { changesLimits: false }, measurePeak: async () => undefined };
  const slots = createSlots(1);
  return { sandboxes, backend, log, slots, shares: createShares() } as unknown as Dependencies;
}

async function run(fields: Parameters<typeof ExecutionSpec.fromPartial>[0] = {}): Promise<Execution> {
  const spec = ExecutionSpec.fromPartial({
    sandbox: { organizationId: 'org_1', template: 'python', limits },
    run: { command: ['run'], limits },
    check: { command: ['check'], limits },
    cases: [{ limits }],
    isolation: 'SANDBOX',
    ...fields,
  });
  for await (const { event } of runExecution(dependencies(), spec, false, new AbortController().signal))
    if (event?.$case === 'result') return event.value.execution!;
  throw new Error('there was no result');
}

const two = {
  cases: [
    { command: ['first'], limits },
    { command: ['second'], limits },
  ],
  reportsCases: true,
};
const verdicts = ({ cases }: Execution) => cases.map(({ verdict }) => verdict);

test('a program that fails is checked, in the room that its own sandbox had', async () => {
  expect(await run()).toMatchObject({ verdict: 'COMPILE_ERROR', compile: { exitCode: 1 } });
  expect([commands, claimed.length]).toEqual([['run', 'check'], 2]);
});

test('a program without errors in its sources keeps its verdict', async () => {
  exitCodes = { run: 3 };
  expect(await run()).toMatchObject({ verdict: 'RUNTIME_ERROR', exitCode: 3 });
});

test.each(['NO_CAPACITY', 'SANDBOX_START_FAILED', 'SERVICE_UNAVAILABLE'] as const)(
  'a check that cannot run for %s leaves the verdict as it is, and is logged',
  async (reason) => {
    claims = [undefined, reason];
    expect(await run()).toMatchObject({ verdict: 'RUNTIME_ERROR', exitCode: 1 });
    expect(log.warn).toHaveBeenCalledWith(expect.objectContaining({ err: expect.anything() }), expect.any(String));
  },
);

test('another reason is an error of the execution', async () => {
  claims = [undefined, 'INTERNAL'];
  await expect(run()).rejects.toMatchObject({ reason: 'INTERNAL' });
});

test('where limits cannot be changed, a check with others leaves the verdict as it is', async () => {
  const check = { command: ['check'], limits: { ...limits, processes: 32 } };
  expect(await run({ check })).toMatchObject({ verdict: 'RUNTIME_ERROR' });
  expect([commands, log.warn.mock.calls.length]).toEqual([['run'], 1]);
});

const largest = { ...limits, memoryBytes: 300 * MiB, processes: 96 };
test.each<[string, Parameters<typeof run>[0]]>([
  ['compiler', { compile: { command: ['compile'], limits: largest } }],
  ['program', { run: { command: ['run'], limits: largest } }],
  ['check', { check: { command: ['check'], limits: largest } }],
  ['last case', { cases: [{ limits }, { limits: largest }] }],
])('the sandbox has the memory and the processes that its %s needs', async (_, fields) => {
  await run(fields).catch(() => {});
  expect(claimed[0]!.limits).toMatchObject({ memoryBytes: 300 * MiB, processes: 96 });
});

test('the memory of one step and the processes of another are both had', async () => {
  const cases = [{ limits: { ...limits, memoryBytes: 300 * MiB } }, { limits: { ...limits, processes: 96 } }];
  await run({ cases }).catch(() => {});
  expect(claimed[0]!.limits).toMatchObject({ memoryBytes: 300 * MiB, processes: 96 });
});

test('a check without limits is refused', async () => {
  await expect(run({ check: { command: ['check'] } })).rejects.toMatchObject({ reason: 'INTERNAL' });
});

test('a program of which a case was accepted is not checked, and keeps it', async () => {
  exitCodes = { second: 1, check: 1 };
  expect(verdicts(await run(two))).toEqual(['ACCEPTED', 'RUNTIME_ERROR']);
  expect(commands).toEqual(['first', 'second']);
});

test('a program is checked once, after the first case that fails', async () => {
  exitCodes = { first: 1, second: 1 };
  expect(verdicts(await run(two))).toEqual(['RUNTIME_ERROR', 'RUNTIME_ERROR']);
  expect(commands).toEqual(['first', 'check', 'second']);
});

test('after a check that found no room the next case runs in a sandbox of its own', async () => {
  exitCodes = { first: 1, check: 1 };
  isRenewable = false;
  claims = [undefined, 'NO_CAPACITY'];
  expect(verdicts(await run(two))).toEqual(['RUNTIME_ERROR', 'ACCEPTED']);
  expect(commands).toEqual(['first', 'second']);
});
