import { Command } from 'commander';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { connectGrpc, connectHttp } from '../support/api.ts';
import { openExecutor } from './direct.ts';
import { openEngineBaselines } from './engine-baselines.ts';
import { prepareMachine, startBenchPlatform } from './machine.ts';
import { measure } from './measure.ts';
import { footprint } from './memory.ts';
import { ratios } from './ratios.ts';
import { recorder, report } from './report.ts';

const TRUE = ['/usr/bin/true'];
const PYTHON = ['/usr/bin/python3', '-c', 'print(1)'];
/** Node compiles what it has run often: what is measured is a platform that has served for a while. Of each, at most. */
const COMMANDS_BEFORE = 1_000;
const CREATES_BEFORE = 40;
const RUNS_BEFORE = 200;

const command = new Command('npm run bench --')
  .description(
    'Measures commands, sandboxes and programs against what the engine alone does, in one run on this machine.',
  )
  .option('--json <file>', 'also write every figure to a file')
  .option('--iterations <number>', 'of each series', '100')
  .parse();
const { json, iterations: text } = command.opts<{
  json?: string;
  iterations: string;
}>();
const iterations = Number(text);
const burst = Math.min(100, iterations);

await using machine = await prepareMachine();
await using platform = await startBenchPlatform();
using grpc = connectGrpc(platform, platform.apiKey);
const http = connectHttp(platform, platform.apiKey);
// The containers that it is compared with have no limit of CPU.
const { id: sandboxId } = await grpc.createSandbox({
  lifetime: { seconds: 3600, nanos: 0 },
  limits: ResourceLimits.create({ cpus: 2 }),
});
await using baselines = await openEngineBaselines(machine.engineSocket, iterations);
using executor = await openExecutor(platform, sandboxId);

const { series, record } = recorder();
await executor.untilWarm();
const memory = await footprint(platform);
const direct = () => executor.command(TRUE);
const overGrpc = () => grpc.command(sandboxId, TRUE);
const overHttp = () => http('POST', `/v1/sandboxes/${sandboxId}/processes`, { command: TRUE });
for (const once of [direct, overGrpc, overHttp])
  await measure({ name: 'before', iterations: before(COMMANDS_BEFORE), concurrency: 4, once });

for (const [label, words] of [
  ['true', TRUE],
  ['python', PYTHON],
] as const) {
  await record(baselines.raw(`(a) raw fork+exec, ${label}`, words));
  await record(
    measure({
      name: `(b) docker run --rm, ${label}`,
      iterations,
      warmUp: 2,
      once: () => baselines.run(words),
    }),
  );
  await record(
    measure({
      name: `(c) docker exec, ${label}`,
      iterations,
      warmUp: 5,
      once: () => baselines.exec(words),
    }),
  );
  await record(
    measure({
      name: `(d) executor direct, ${label}`,
      iterations,
      once: () => executor.command(words),
    }),
  );
  await record(
    measure({
      name: `(e) whole stack, gRPC, ${label}`,
      iterations,
      once: () => grpc.command(sandboxId, words),
    }),
  );
  await record(
    measure({
      name: `(f) whole stack, HTTP, ${label}`,
      iterations,
      once: () =>
        http('POST', `/v1/sandboxes/${sandboxId}/processes`, {
          command: words,
        }),
    }),
  );
}

for (const concurrency of [1, 8, 32])
  await record(
    measure({
      name: 'commands, gRPC, true',
      concurrency,
      iterations: iterations * Math.min(concurrency, 5),
      once: () => grpc.command(sandboxId, TRUE),
    }),
  );

const created: string[] = [];
const create = async (limits?: object) => {
  const { id } = await grpc.createSandbox(limits ? { limits: limits as never } : {});
  created.push(id);
};
const drop = () => Promise.all(created.splice(0).map((id) => grpc.deleteSandbox(id)));
await record(
  measure({
    name: 'create to usable, warm',
    iterations,
    warmUp: before(CREATES_BEFORE),
    before: async () => {
      await drop();
      await executor.untilWarm();
    },
    once: () => create(),
  }),
);
await drop();
await record(
  measure({
    name: 'create to usable, cold',
    iterations: Math.min(iterations, 100),
    warmUp: 1,
    before: drop,
    once: () => create({ diskBytes: 64 * 1024 * 1024 }),
  }),
);
await drop();
await executor.untilWarm();
await record(
  measure({
    name: `burst of ${burst} creates`,
    iterations: burst,
    concurrency: burst,
    warmUp: 0,
    once: () => create(),
  }),
);
await drop();
await executor.untilWarm();
await record(
  measure({
    name: 'RunCode, python',
    iterations,
    warmUp: before(RUNS_BEFORE),
    once: () => grpc.runCode({ language: 'python', source: 'print(1)' }),
  }),
);

await report(series, ratios(series, memory), json, { memory });
await grpc.deleteSandbox(sandboxId);

function before(most: number): number {
  return Math.min(most, 10 * iterations);
}
