import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { ensureEngine } from '../../deploy/local/engine.ts';
import { generate } from '../../deploy/local/generate.ts';
import { ensureSystemPackages } from '../../deploy/local/system-packages.ts';
import { connectGrpc, connectHttp } from '../api.ts';
import { startTestPlatform } from '../platform.ts';
import { openExecutor } from './direct.ts';
import { openEngineBaselines } from './engine-baselines.ts';
import { type Measured, measure } from './measure.ts';
import { footprint } from './memory.ts';
import { ratios } from './ratios.ts';

const DATA_DIRECTORY = process.env.DRYDOCK_DATA_DIR || '/var/lib/drydock';
const TRUE = ['/usr/bin/true'];
const PYTHON = ['/usr/bin/python3', '-c', 'print(1)'];
const BURST = 100;
const GiB = 1024 ** 3;

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

const say = (line: string) => process.stderr.write(`${line}\n`);
await ensureSystemPackages(say);
await generate(say);
await using engine = await ensureEngine({
  dataDirectory: DATA_DIRECTORY,
  runDirectory: join(DATA_DIRECTORY, 'run'),
  dockerHost: process.env.DOCKER_HOST,
});
process.env.DOCKER_SOCKET = engine.socket;
process.env.IMAGE_CACHE = join(DATA_DIRECTORY, 'images');
await using platform = await startTestPlatform({
  executors: 1,
  // A burst of a hundred sandboxes of half a GiB each, which use a few MiB.
  environment: { EXECUTOR_MEMORY_BYTES: String(100 * GiB), LOG_LEVEL: 'warn' },
});
using grpc = connectGrpc(platform, platform.apiKey);
const http = connectHttp(platform, platform.apiKey);
const { id: sandboxId } = await grpc.createSandbox({
  lifetime: { seconds: 3600, nanos: 0 },
});
await using baselines = await openEngineBaselines(engine.socket, iterations);
using executor = await openExecutor(platform, sandboxId);

const all: Measured[] = [];
const record = async (measured: Promise<Measured>) => {
  all.push(await measured);
  const { name, concurrency, p50, p95, p99, perSecond, success } = all.at(-1)!;
  say(
    `${name} (${concurrency}): p50 ${p50.toFixed(2)} p95 ${p95.toFixed(2)} p99 ${p99.toFixed(2)} ms, ${perSecond.toFixed(0)}/s, ${(success * 100).toFixed(0)} %`,
  );
};

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
    warmUp: 3,
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
    name: `burst of ${BURST} creates`,
    iterations: BURST,
    concurrency: BURST,
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
    warmUp: 3,
    before: executor.untilWarm,
    once: () => grpc.runCode({ language: 'python', source: 'print(1)' }),
  }),
);

// It reads the engine's socket as it is loaded.
const { measureExecutions } = await import('./executions.ts');
await measureExecutions(engine.socket, iterations, record);

const memory = await footprint(platform);
const derived = ratios(all, memory);
const table = new Table({
  head: ['series', 'at once', 'p50 ms', 'p95 ms', 'p99 ms', 'per second', 'success'],
  style: { head: [], border: [] },
});
for (const m of all)
  table.push([
    m.name,
    m.concurrency,
    m.p50.toFixed(2),
    m.p95.toFixed(2),
    m.p99.toFixed(2),
    m.perSecond.toFixed(1),
    `${(m.success * 100).toFixed(0)} %`,
  ]);
const aims = new Table({
  head: ['what', 'measured', 'aim', ''],
  style: { head: [], border: [] },
});
for (const { what, measured, aim, met } of derived) aims.push([what, measured, aim, met ? 'met' : 'not met']);
process.stdout.write(`${table}\n${aims}\n`);
if (json) await writeFile(json, `${JSON.stringify({ series: all, memory, aims: derived }, null, 2)}\n`);
await grpc.deleteSandbox(sandboxId);
