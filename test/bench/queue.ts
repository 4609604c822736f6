import { Command } from 'commander';
import { type Execution, SubmitExecutionRequest } from '#proto/drydock/v1/execution.ts';
import type { Platform } from '../../deploy/local/platform.ts';
import { connectGrpc } from '../support/api.ts';
import { createTenant, prepareMachine, startBenchPlatform } from './machine.ts';
import { type Measured, measure, summarize } from './measure.ts';
import type { Aim } from './ratios.ts';
import { atLeast, atMost, recorder, report } from './report.ts';

const PROGRAM = { language: 'python', source: 'print(1)' };
const WAIT = { seconds: 60, nanos: 0 };
const BATCH = 100;

type Api = ReturnType<typeof connectGrpc>;

const command = new Command('npm run bench:queue --')
  .description('Measures how fast executions are accepted, begun and run, against the executor and the engine alone.')
  .option('--json <file>', 'also write every figure to a file')
  .option('--submissions <number>', 'of the series that only accept', '5000')
  .option('--executions <number>', 'of the series that run', '300')
  .parse();
const { json, ...counts } = command.opts<{ json?: string; submissions: string; executions: string }>();
const [submissions, executions] = [Number(counts.submissions), Number(counts.executions)];

await using machine = await prepareMachine();
const { series, record } = recorder();
const aims: Aim[] = [];
await acceptance();
const { begun, drained } = await running();
// It reads the engine's socket as it is loaded.
const { measureExecutions } = await import('./executions.ts');
const { raw, one, eight } = await measureExecutions(machine.engineSocket, Math.ceil(executions / 5), record);
aims.push(
  atMost('queue to start when idle, p50', begun.p50, 10, 'ms'),
  atLeast('drain rate / executor, 8 at once', (drained.perSecond / eight.cell.perSecond) * 100, 90, '%'),
  atMost('python in a cell above raw, p50', one.cell.p50 - raw.p50, 8, 'ms'),
  atLeast('cells / docker run, 8 at once', eight.cell.perSecond / eight.engine.perSecond, 15),
  atLeast('cells / fresh sandboxes, 8 at once', eight.cell.perSecond / eight.sandbox.perSecond, 5),
);
await report(series, aims, json);

/** A tenant whose queue is as long as may be. */
async function tenantOf(platform: Platform): Promise<Api & Disposable> {
  return connectGrpc(platform, (await createTenant(platform)).secret);
}

/** Nothing runs meanwhile: what is measured is the acceptance alone, down to the committed row. */
async function acceptance(): Promise<void> {
  await using platform = await startBenchPlatform();
  using api = await tenantOf(platform);
  await platform.kill('executor-1');
  const submit = () => api.executions.submitExecution(SubmitExecutionRequest.create(PROGRAM));
  const requests = Array.from({ length: BATCH }, () => SubmitExecutionRequest.create(PROGRAM));
  await record(measure({ name: 'submit, one caller', iterations: Math.min(500, submissions), once: submit }));
  const many = await record(
    measure({
      name: 'submit',
      concurrency: 64,
      warmUp: Math.min(500, submissions),
      iterations: submissions,
      once: submit,
    }),
  );
  const batches = await record(
    measure({
      name: `submit ${BATCH} in a batch`,
      concurrency: 4,
      iterations: Math.ceil(submissions / BATCH),
      warmUp: 2,
      once: () => api.executions.batchSubmitExecutions({ requests }),
    }),
  );
  aims.push(
    atLeast('submissions accepted, singly', many.perSecond, 1_500, '/s'),
    atLeast('submissions accepted, in batches', batches.perSecond * BATCH, 1_500, '/s'),
  );
}

/** The queue with programs that run. */
async function running() {
  await using platform = await startBenchPlatform();
  using api = await tenantOf(platform);
  const run = async () => {
    const { verdict, message } = await api.runCode({ ...PROGRAM, isolation: 'CELL' });
    if (verdict !== 'ACCEPTED') throw new Error(`${verdict} ${message}`);
  };
  for (const concurrency of [1, 8])
    await record(
      measure({
        name: 'RunCode, whole stack',
        concurrency,
        iterations: executions,
        warmUp: Math.min(100, executions),
        once: run,
      }),
    );
  const begun = await record(idleLatency(api));
  const drained = await record(drain(platform, api));
  return { begun, drained };
}

/** From the commit of a submission to the attempt's begin, by the database's clock, with nothing else to do. */
async function idleLatency(api: Api): Promise<Measured> {
  const times: number[] = [];
  for (let i = 0; i < Math.min(100, executions); i++) {
    const { execution } = await api.executions.submitExecution(SubmitExecutionRequest.create(PROGRAM));
    const ended = await finished(api, execution!.id);
    times.push(ended.startTime!.getTime() - ended.createTime!.getTime());
  }
  return summarize('queue to start, idle', times);
}

/** How fast a queue that is there already is worked off. */
async function drain(platform: Platform, api: Api): Promise<Measured> {
  await platform.kill('executor-1');
  const ids: string[] = [];
  for (let at = 0; at < executions; at += BATCH) {
    const requests = Array.from({ length: Math.min(BATCH, executions - at) }, () =>
      SubmitExecutionRequest.create(PROGRAM),
    );
    const { results } = await api.executions.batchSubmitExecutions({ requests });
    for (const { result } of results) if (result?.$case === 'execution') ids.push(result.value.id);
  }
  await platform.restart('executor-1');
  const ended = await Promise.all(ids.map((id) => finished(api, id)));
  const starts = ended.map(({ startTime }) => startTime!.getTime()).sort((a, b) => a - b);
  const ends = ended.map(({ finishTime }) => finishTime!.getTime());
  // The first ones find neither leases nor warm sandboxes.
  const from = starts[Math.floor(starts.length / 5)]!;
  const counted = ended.filter(({ startTime }) => startTime!.getTime() >= from);
  const times = counted.map(({ startTime, finishTime }) => finishTime!.getTime() - startTime!.getTime());
  return summarize('queue drained, from start to end of each', times, { elapsed: Math.max(...ends) - from });
}

async function finished(api: Api, executionId: string): Promise<Execution> {
  for (;;) {
    const { execution } = await api.executions.getExecution({ executionId, wait: WAIT });
    if (execution?.state === 'FINISHED') return execution;
  }
}
