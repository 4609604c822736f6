import { Command } from 'commander';
import Docker from 'dockerode';
import { type Execution, SubmitExecutionRequest } from '#proto/drydock/v1/execution.ts';
import { connectGrpc, connectHttp } from '../support/api.ts';
import { type Bare, openBare } from './bare.ts';
import { type Cost, reportCosts, type Series, total } from './cost-table.ts';
import { startCpuMeter } from './cpu.ts';
import { createTenant, prepareMachine, startBenchPlatform } from './machine.ts';
import { measure } from './measure.ts';
import { createProfiler, INSPECTED } from './profiles.ts';

const PROGRAM = { language: 'python', source: 'print(42)' };
const BARE = ['/usr/bin/python3', '-c', 'print(42)'];
const FLOOR = 'bare python';
const TRUE = ['/usr/bin/true'];
const WAIT = { seconds: 60, nanos: 0 };
const BATCH = 100;
const CALLERS = [1, 4];
/** Node compiles what it has run often: what is measured is a platform that has served for a while. */
const RUNS_BEFORE = 1_500;
const command = new Command('npm run bench:cost --')
  .description(
    'Measures the processor time of each process for one execution, beside the bare program, as the median of some rounds.',
  )
  .option('--json <file>', 'also write every figure to a file')
  .option('--iterations <number>', 'of each series', '300')
  .option('--rounds <number>', 'of all series, in turn', '3')
  .option('--profiles <directory>', 'also write a CPU profile of each service and series into a directory')
  .parse();
const { json, profiles, ...counts } = command.opts<Record<'json' | 'profiles' | 'iterations' | 'rounds', string>>();
const [iterations, rounds] = [Number(counts.iterations), Number(counts.rounds)];

type Used = { usage?: { cpuTime?: { seconds: number; nanos: number } | string | undefined } | undefined };

await using machine = await prepareMachine();
const profiler = createProfiler(profiles ?? '');
await using platform = await startBenchPlatform(profiles ? { environment: INSPECTED, onLine: profiler.onLine } : {});
await using meter = startCpuMeter(platform, new Docker({ socketPath: machine.engineSocket }));
const tenant = (await createTenant(platform)).secret;
using grpc = connectGrpc(platform, tenant);
const http = connectHttp(platform, tenant);
const { limits, id: sandboxId } = await grpc.createSandbox({ lifetime: { seconds: 3600, nanos: 0 } });
await using bare = await openBare(machine.engineSocket, BARE);
await using bareWithQuota = await openBare(machine.engineSocket, BARE, limits!.cpus);

const series: Series[] = CALLERS.flatMap((callers) => [
  ofBare(FLOOR, bare, callers),
  ofBare(`${FLOOR}, ${limits!.cpus} CPU`, bareWithQuota, callers),
  ofPlatform('RunCode, HTTP', callers, runOverHttp),
  ofPlatform('RunCode, gRPC', callers, () => grpc.runCode(PROGRAM).then(accepted)),
  ofPlatform('queue, singly', callers, submitOne),
  ofPlatform('command in a live sandbox', callers, () => grpc.command(sandboxId, TRUE), { runsProgram: false }),
]);
series.push(ofPlatform(`queue, ${BATCH} in a batch`, 1, submitBatch, { executions: BATCH }));

await measure({ name: 'before', iterations: Math.min(RUNS_BEFORE, 5 * iterations), concurrency: 4, once: runOverHttp });
const costs = new Map<Series, Cost[]>(series.map((each) => [each, []]));
for (let round = 1; round <= rounds; round++)
  for (const [each, found] of costs) {
    const cost = await each.cost();
    found.push(cost);
    process.stderr.write(`round ${round}: ${each.name} (${each.callers}): ${total(cost.cpu).toFixed(2)} ms of CPU\n`);
  }
const ofServices = series.filter(({ name }) => !name.startsWith(FLOOR));
if (profiles) for (const each of ofServices) await profiler.during(fileName(each), each.cost);
await reportCosts(costs, FLOOR, json);
await grpc.deleteSandbox(sandboxId);

async function runOverHttp(): Promise<number> {
  const { status, body } = await http('POST', '/v1/executions:run', PROGRAM);
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return accepted(body);
}

/** Milliseconds that the program itself has used, as its result says. */
function accepted({ verdict, message, usage }: Pick<Execution, 'verdict' | 'message'> & Used): number {
  if (verdict !== 'ACCEPTED') throw new Error(`${verdict} ${message}`);
  const time = usage?.cpuTime;
  // JSON has a duration as `0.0123s`.
  const seconds = typeof time === 'string' ? Number.parseFloat(time) : (time?.seconds ?? 0) + (time?.nanos ?? 0) * 1e-9;
  return seconds * 1000;
}

async function submitOne(): Promise<number> {
  const { execution } = await grpc.executions.submitExecution(SubmitExecutionRequest.create(PROGRAM));
  return accepted(await finished(execution!.id));
}

async function submitBatch(): Promise<number> {
  const requests = Array.from({ length: BATCH }, () => SubmitExecutionRequest.create(PROGRAM));
  const { results } = await grpc.executions.batchSubmitExecutions({ requests });
  const ids = results.map(({ result }) => (result?.$case === 'execution' ? result.value.id : ''));
  const programs = await Promise.all(ids.map(async (id) => accepted(await finished(id))));
  return programs.reduce((sum, each) => sum + each, 0);
}

async function finished(executionId: string): Promise<Execution> {
  for (;;) {
    const { execution } = await grpc.executions.getExecution({ executionId, wait: WAIT });
    if (execution?.state === 'FINISHED') return execution;
  }
}

function ofBare(name: string, program: Bare, callers: number): Series {
  const cost = async (): Promise<Cost> => {
    const { measured, cpuMs } = await program.run(name, iterations, callers);
    return { measured, executionsPerSecond: measured.perSecond, cpu: new Map([['program', cpuMs]]) };
  };
  return { name, callers, isCompared: false, cost };
}

/** `once` is for so many executions, and answers what their programs have used where it runs any. */
function ofPlatform(
  name: string,
  callers: number,
  once: () => Promise<unknown>,
  { executions = 1, runsProgram = true } = {},
): Series {
  const cost = async (): Promise<Cost> => {
    let programMs = 0;
    const counted = async () => {
      const used = await once();
      if (runsProgram) programMs += used as number;
    };
    const runs = Math.max(1, Math.ceil(iterations / executions));
    const before = await meter.read();
    const measured = await measure({ name, iterations: runs, concurrency: callers, warmUp: 0, once: counted });
    const after = await meter.read();
    if (measured.success < 1) throw new Error(`${name}: only ${(measured.success * 100).toFixed(0)} % succeeded`);
    const perExecution = (ms: number) => ms / (runs * executions);
    const cpu = new Map([...after].map(([what, ms]) => [what, perExecution(ms - (before.get(what) ?? 0))]));
    cpu.set('program', perExecution(programMs)).set('cells', cpu.get('cells')! - perExecution(programMs));
    return { measured, executionsPerSecond: measured.perSecond * executions, cpu };
  };
  return { name, callers, isCompared: runsProgram && executions === 1, cost };
}

function fileName({ name, callers }: Series): string {
  return `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-${callers}`;
}
