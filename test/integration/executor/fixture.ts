import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Template } from '#libs/catalog/catalog.ts';
import type { DrydockError } from '#libs/errors.ts';
import { createClient } from '#libs/grpc/client.ts';
import { newId } from '#libs/ids.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { STREAMS } from '#libs/nats/subjects.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { type ExecutionResult, ExecutorServiceDefinition } from '#proto/drydock/internal/v1/executor.ts';
import {
  type AppliedLimits,
  CaseSpec,
  CheckerSpec,
  ExecutionSpec,
  SandboxSpec,
} from '#proto/drydock/internal/v1/spec.ts';
import type { SourceFile, Verdict } from '#proto/drydock/v1/execution.ts';
import { FileServiceDefinition, WriteFileRequest } from '#proto/drydock/v1/file.ts';
import { ProcessServiceDefinition, StartProcessRequest } from '#proto/drydock/v1/process.ts';
import { userIdsAt } from '../../../deploy/local/user-ids.ts';
import { collect, type Finished } from '../../support/api.ts';
import { type Nats, startNats } from '../../support/nats.ts';
import { freePort } from '../../support/ports.ts';
import { below, pythonImage, variables as variablesUnderTest } from './backend-under-test.ts';

const ROOT = join(import.meta.dirname, '../../..');
const STOP_TIMEOUT_MS = 30_000;
export const MiB = 1024 * 1024;

export const CALLER: Caller = {
  organizationId: 'org_ours',
  apiKeyId: '',
  scopes: [],
  quota: undefined,
};
export const STRANGER: Caller = { ...CALLER, organizationId: 'org_theirs' };

export const LIMITS: AppliedLimits = {
  wallTime: { seconds: 10, nanos: 0 },
  cpuTime: { seconds: 10, nanos: 0 },
  memoryBytes: 256 * MiB,
  processes: 64,
  outputBytes: MiB,
  diskBytes: 64 * MiB,
  cpus: 1,
  stackBytes: 64 * MiB,
  fileBytes: 64 * MiB,
  openFiles: 1024,
};

export type Options = {
  pool?: Template['pool'];
  /** What is other than usual of the one template, `python`. */
  template?: Partial<Template>;
  environment?: Record<string, string>;
};

export type Program = {
  source: string;
  limits?: Partial<AppliedLimits>;
  compile?: string[];
  /** Of the one case of a run without cases. */
  stdin?: Buffer;
  expectedOutput?: string;
  cases?: Case[];
  /** A Python program that judges, or what `compile` makes of one. */
  checker?: { source: string; limits?: Partial<AppliedLimits>; compile?: string[]; command?: string[] };
  compileLimits?: Partial<AppliedLimits>;
  organizationId?: string;
} & Partial<Omit<ExecutionSpec, 'compile' | 'cases' | 'checker'>>;

type Case = { name?: string; stdin?: string; expectedOutput?: string; limits?: Partial<AppliedLimits> };

export type TestExecutor = Awaited<ReturnType<typeof startExecutor>>;

/** An executor of its own: process, NATS, data directory and label at the engine. Disposing removes all of it. */
export async function startExecutor({ pool = { floor: 1, ceiling: 4 }, template, environment = {} }: Options = {}) {
  const id = `test-${newId('evt').slice(-12)}`;
  const directory = await mkdtemp('/tmp/dd-');
  const nats = await startNats();
  await makeStreams(nats.url);
  const engine = below(id);
  const [port, metricsPort] = [await freePort(), await freePort()];
  const address = `127.0.0.1:${port}`;
  await writeCatalog(join(directory, 'catalog.json'), { pool, ...template });
  const variables = {
    EXECUTOR_ID: id,
    EXECUTOR_ADDRESS: address,
    EXECUTOR_METRICS_ADDRESS: `127.0.0.1:${metricsPort}`,
    ...userIdsAt(port),
    EXECUTOR_DATA_DIR: join(directory, 'data'),
    CATALOG_FILE: join(directory, 'catalog.json'),
    NATS_URL: nats.url,
    ...variablesUnderTest(),
    ...environment,
  };
  const clients = {
    executor: createClient(ExecutorServiceDefinition, address),
    processes: createClient(ProcessServiceDefinition, address),
    files: createClient(FileServiceDefinition, address),
  };
  let child = await launch(variables);
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  const claim = async (fields: Partial<SandboxSpec> = {}, limits: Partial<AppliedLimits> = {}) => {
    const spec = specOf(fields, limits);
    const { warm } = await clients.executor.claimSandbox({ spec }, { caller: CALLER });
    return { sandboxId: spec.sandboxId, warm };
  };

  return {
    ...clients,
    id,
    engine,
    nats,
    address,
    dataDirectory: variables.EXECUTOR_DATA_DIR,
    catalogFile: variables.CATALOG_FILE,
    process: () => child,
    /** Ends it as a crash would. */
    kill: () => end('SIGKILL'),
    /** Ends it as an operator would. */
    stop: () => end('SIGTERM'),
    async restart() {
      child = await launch(variables);
      await Promise.all([
        untilReached(() => clients.executor.destroySandbox({ sandboxId: newId('sbx') }, { caller: CALLER })),
        untilReached(() => clients.processes.listProcesses({ sandboxId: newId('sbx') }, { caller: CALLER })),
        untilReached(() => clients.files.statFile({ sandboxId: newId('sbx'), path: '/' }, { caller: CALLER })),
      ]);
    },
    claim,
    /** A confirmed sandbox. */
    async sandbox(fields: Partial<SandboxSpec> = {}, limits: Partial<AppliedLimits> = {}): Promise<string> {
      const { sandboxId } = await claim(fields, limits);
      await clients.executor.confirmSandbox({ sandboxId }, { caller: CALLER });
      return sandboxId;
    },
    /** The instance of a sandbox, as the executor's own record has it. */
    async instanceOf(sandboxId: string): Promise<string> {
      const claims = join(variables.EXECUTOR_DATA_DIR, 'claims');
      for (const name of await readdir(claims)) {
        const claim = JSON.parse(await readFile(join(claims, name), 'utf8'));
        if (claim.sandboxId === sandboxId) return name.replace('.json', '');
      }
      throw new Error(`no claim of ${sandboxId}`);
    },
    destroy: (sandboxId: string) => clients.executor.destroySandbox({ sandboxId }, { caller: CALLER }),
    start: (sandboxId: string, command: string[], more: Partial<StartProcessRequest> = {}, signal?: AbortSignal) =>
      clients.processes.startProcess(StartProcessRequest.create({ sandboxId, command, ...more }), {
        caller: CALLER,
        ...(signal && { signal }),
      }),
    command: (sandboxId: string, command: string[], more: Partial<StartProcessRequest> = {}): Promise<Finished> =>
      collect(
        clients.processes.startProcess(StartProcessRequest.create({ sandboxId, command, ...more }), { caller: CALLER }),
      ),
    async writeFile(sandboxId: string, path: string, data: Uint8Array | string, caller = CALLER) {
      const bytes = Buffer.from(data as string);
      async function* messages() {
        yield WriteFileRequest.create({ sandboxId, path });
        for (let at = 0; at < bytes.length; at += 65_536)
          yield WriteFileRequest.create({
            data: bytes.subarray(at, at + 65_536),
          });
      }
      return (await clients.files.writeFile(messages(), { caller })).file!;
    },
    async readFile(sandboxId: string, path: string, range: { offsetBytes?: number; lengthBytes?: number } = {}) {
      const pieces: Uint8Array[] = [];
      const request = { sandboxId, path, offsetBytes: 0, ...range };
      for await (const { data } of clients.files.readFile(request, {
        caller: CALLER,
      }))
        pieces.push(data);
      return Buffer.concat(pieces);
    },
    /** Runs a Python program, or what `compile` makes of one, to its result. */
    async run(program: Program, signal?: AbortSignal): Promise<Ran> {
      const events: string[] = [];
      let result: ExecutionResult | undefined;
      const spec = executionOf(program);
      const options = { caller: CALLER, ...(signal && { signal }) };
      for await (const { event } of clients.executor.runExecution({ spec, streamOutput: false }, options)) {
        events.push(event!.$case);
        if (event?.$case === 'result') result = event.value;
      }
      const { execution, ...outputs } = result!;
      // As session makes them.
      const [stdout, stderr] = [outputs.stdout, outputs.stderr].map((bytes) => Buffer.from(bytes).toString());
      return {
        ...outputs,
        execution: { ...execution!, stdout: stdout!, stderr: stderr! },
        verdict: execution!.verdict,
        events,
      };
    },
    async metric(line: string): Promise<number> {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      return Number(
        text
          .split('\n')
          .find((candidate) => candidate.startsWith(line))
          ?.split(' ')
          .at(-1) ?? 0,
      );
    },
    async [Symbol.asyncDispose]() {
      for (const client of Object.values(clients)) client[Symbol.dispose]();
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await end('SIGTERM');
      clearTimeout(force);
      await engine.removeAll();
      await nats[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export type Ran = ExecutionResult & { verdict: Verdict; events: string[] };

export function specOf(fields: Partial<SandboxSpec> = {}, limits: Partial<AppliedLimits> = {}): SandboxSpec {
  return SandboxSpec.create({
    sandboxId: newId('sbx'),
    organizationId: CALLER.organizationId,
    template: 'python',
    expireTime: new Date(Date.now() + 300_000),
    tenancy: { sharedPool: true, sandboxes: 100 },
    ...fields,
    limits: { ...LIMITS, ...limits },
  });
}

export function executionOf(program: Program): ExecutionSpec {
  const { source, limits, compile, stdin, expectedOutput, cases, checker, ...more } = program;
  const { organizationId = CALLER.organizationId, compileLimits, ...fields } = more;
  const applied = { ...LIMITS, ...limits };
  const alone = CaseSpec.create({ stdin: stdin ?? Buffer.alloc(0), expectedOutput, limits: applied });
  return ExecutionSpec.create({
    executionId: newId('exe'),
    sandbox: specOf({ organizationId }, applied),
    files: [fileOf('main.py', source)],
    compile: compile && {
      command: compile,
      environment: {},
      limits: { ...LIMITS, ...compileLimits },
      heapFullSignal: '',
      interruptSignal: '',
      streamEnvironment: {},
    },
    run: {
      command: ['python3', 'main.py'],
      environment: {},
      limits: applied,
      heapFullSignal: '',
      interruptSignal: '',
      streamEnvironment: {},
    },
    cases: cases ? cases.map((each) => caseOf(each, applied)) : [alone],
    reportsCases: cases !== undefined,
    checker: checker && checkerOf(checker, organizationId),
    floatTolerance: 1e-6,
    ...fields,
  });
}

function caseOf({ name = '', stdin = '', expectedOutput, limits }: Case, applied: AppliedLimits): CaseSpec {
  return CaseSpec.create({ name, stdin: Buffer.from(stdin), expectedOutput, limits: { ...applied, ...limits } });
}

function checkerOf(
  { source, limits, compile, command = ['python3', 'check.py'] }: NonNullable<Program['checker']>,
  organizationId: string,
): CheckerSpec {
  const step = { environment: {}, heapFullSignal: '', interruptSignal: '', streamEnvironment: {} };
  return CheckerSpec.create({
    sandbox: specOf({ organizationId }),
    files: [fileOf('check.py', source)],
    compile: compile && { ...step, command: compile, limits: LIMITS },
    run: { ...step, command: [...command, 'input', 'output', 'expected'], limits: { ...LIMITS, ...limits } },
  });
}

function fileOf(name: string, value: string): SourceFile {
  return { name, content: { $case: 'text', value } };
}

export function python(source: string): string[] {
  return ['python3', '-c', source];
}

async function writeCatalog(file: string, changes: Partial<Template>): Promise<void> {
  const image = changes.image ?? (await pythonImage());
  const { memoryBytes, processes, diskBytes, cpus } = LIMITS;
  const template = {
    id: 'python',
    description: 'Python',
    image,
    limits: { memoryBytes, processes, diskBytes, cpus },
    writableRoot: false,
    runtime: null,
    ...changes,
  };
  const language = {
    name: 'python',
    displayName: 'Python',
    template: 'python',
    sourceFile: 'main.py',
    extensions: ['.py'],
    run: ['python3', '{file}'],
  };
  await writeFile(file, JSON.stringify({ templates: [template], languages: [language] }));
}

/** Starts the process and waits until it listens. */
async function launch(variables: Record<string, string>): Promise<ChildProcess> {
  const entry = join(ROOT, 'services/executor/main.ts');
  const child = spawn(process.execPath, [entry], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the executor ended with ${code}`)));
    lines.on('line', (line) => {
      if (process.env.TEST_LOGS) process.stderr.write(`${line}\n`);
      if (line.includes('"msg":"listening"')) resolve();
    });
  });
  return child;
}

/** Until a client, which waits longer after each vain attempt, has found the executor that is back. Any answer will do. */
async function untilReached(call: () => Promise<unknown>): Promise<void> {
  const away = (error: unknown) => (error as DrydockError).reason === 'SERVICE_UNAVAILABLE';
  while (await call().then(() => false, away)) await pause(20);
}

export type { Nats };

/** As auth and session do. */
async function makeStreams(url: string): Promise<void> {
  await using events = connectEvents({ url, name: 'fixture', log: createLogger('fixture') });
  await new Promise<void>((resolve) => void events.onConnect(resolve));
  for (const stream of STREAMS) await events.manager(stream);
}
