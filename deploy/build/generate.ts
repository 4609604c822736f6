import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { BUILD, type Progress, ROOT } from '../host/root.ts';
import { together } from '../host/steps.ts';
import { ensureGo } from './go.ts';
import { hashOf, makeOnce } from './made-once.ts';
import { gatherSamples, SAMPLE_SOURCES } from './samples.ts';

// Their versions, which is all that go install needs to make the same binaries again.
const GO_TOOLS = {
  'protoc-gen-go': 'google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11',
  'protoc-gen-go-grpc': 'google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2',
};

const AGENT = join(ROOT, 'services/agent');
const SDK_MESSAGES = 'libs/sdk/typescript/src/generated';
const GOOGLE_RPC = 'node_modules/google-gax/build/protos/google/rpc';
/**
 * The same for all, so that each package is compiled once; without what takes time and nobody uses: debugging information,
 * and traces of calls, which bring HTML templates.
 */
export const GO_FLAGS = `${process.env.GOFLAGS ?? ''} -trimpath -gcflags=all=-dwarf=false -tags=grpcnotrace`.trim();

/** What needs a step: the services themselves, what they run in a sandbox, or nothing that a start is made of. */
const PARTS = ['services', 'sandboxes', 'checks'] as const;
type Part = (typeof PARTS)[number];

type Step = {
  name: string;
  part: Part;
  /** What it is made from: a change makes it again. */
  inputs: string[];
  outputs: string[];
  /** Steps before it where they are made too, by their names. */
  after?: string[];
  /** It runs `go`, which may have to be fetched. */
  withGo?: true;
  make: (run: Run) => Promise<unknown>;
};

const STEPS: Step[] = [
  {
    name: 'Go tools',
    part: 'sandboxes',
    withGo: true,
    inputs: ['deploy/build/generate.ts'],
    outputs: Object.keys(GO_TOOLS).map((tool) => `.build/bin/${tool}`),
    make: ({ go }) =>
      Promise.all(Object.values(GO_TOOLS).map((tool) => go(['install', tool], ROOT, { GOBIN: join(BUILD, 'bin') }))),
  },
  {
    name: 'TypeScript from the protos',
    part: 'services',
    inputs: ['proto/**/*.proto', 'proto/buf.gen.yaml', 'package-lock.json'],
    outputs: ['.build/proto/drydock/v1/sandbox.ts'],
    make: ({ buf }) =>
      replaceDirectory('.build/proto', () =>
        buf(['generate', '--template', 'proto/buf.gen.yaml', '--path', 'proto/drydock']),
      ),
  },
  {
    name: 'messages of the TypeScript SDK',
    part: 'checks',
    inputs: ['proto/drydock/v1/*.proto', 'libs/sdk/typescript/buf.gen.yaml', 'package-lock.json'],
    outputs: [`${SDK_MESSAGES}/drydock/v1/sandbox.ts`, `${SDK_MESSAGES}/descriptors.ts`],
    make: ({ buf }) => {
      const paths = ['proto/drydock/v1', `${GOOGLE_RPC}/status.proto`, `${GOOGLE_RPC}/error_details.proto`];
      const template = ['--template', 'libs/sdk/typescript/buf.gen.yaml'];
      return replaceDirectory(SDK_MESSAGES, async () => {
        await buf(['generate', ...template, ...paths.flatMap((path) => ['--path', path])]);
        await writeDescriptors(buf);
      });
    },
  },
  {
    name: 'messages of the Go SDK',
    part: 'checks',
    inputs: ['proto/drydock/v1/*.proto', 'libs/sdk/go/buf.gen.yaml', 'deploy/build/generate.ts'],
    outputs: ['libs/sdk/go/v1/sandbox.pb.go'],
    after: ['Go tools'],
    make: ({ buf }) =>
      replaceDirectory('libs/sdk/go/v1', () =>
        buf(['generate', '--template', 'libs/sdk/go/buf.gen.yaml', '--path', 'proto/drydock/v1']),
      ),
  },
  {
    name: 'Go from the protos',
    part: 'sandboxes',
    withGo: true,
    inputs: ['proto/drydock/agent/**/*.proto', 'proto/buf.gen.agent.yaml'],
    outputs: ['services/agent/internal/agentv1/agent.pb.go'],
    after: ['Go tools'],
    make: ({ buf }) => buf(['generate', '--template', 'proto/buf.gen.agent.yaml', '--path', 'proto/drydock/agent']),
  },
  {
    name: 'descriptors of the API',
    part: 'services',
    inputs: ['proto/**/*.proto', 'buf.yaml'],
    outputs: ['.build/descriptors.binpb'],
    make: ({ buf }) => buf(['build', '--path', 'proto/drydock', '-o', '.build/descriptors.binpb']),
  },
  {
    name: 'samples of the API',
    part: 'services',
    inputs: ['deploy/build/samples.ts', ...SAMPLE_SOURCES.map(({ file }) => file)],
    outputs: ['.build/samples.json'],
    make: async () => writeFile(join(BUILD, 'samples.json'), JSON.stringify(await gatherSamples())),
  },
  {
    name: 'agent',
    part: 'sandboxes',
    withGo: true,
    inputs: ['services/agent/**/*.go', 'services/agent/go.sum', 'proto/drydock/agent/**/*.proto'],
    outputs: ['.build/bin/drydock-agent', '.build/bin/cell'],
    after: ['Go from the protos'],
    make: async ({ go }) => {
      await goBuild(go, 'drydock-agent', '.');
      await goBuild(go, 'cell', './cmd/cell');
    },
  },
  {
    name: 'seccomp profiles',
    part: 'sandboxes',
    withGo: true,
    inputs: ['services/agent/cmd/seccomp-profile/*.go', 'services/agent/go.sum'],
    outputs: ['.build/seccomp.json', '.build/seccomp-cells.json'],
    // It would compile the same packages at the same time.
    after: ['agent'],
    make: async ({ go }) => {
      const profile = async (...kind: string[]) => (await go(['run', './cmd/seccomp-profile', ...kind], AGENT)).stdout;
      await writeFile(join(BUILD, 'seccomp.json'), await profile());
      await writeFile(join(BUILD, 'seccomp-cells.json'), await profile('cells'));
    },
  },
  {
    name: 'raw-exec',
    part: 'checks',
    withGo: true,
    inputs: ['services/agent/cmd/raw-exec/*.go', 'services/agent/go.sum'],
    outputs: ['.build/bin/raw-exec'],
    after: ['agent'],
    make: ({ go }) => goBuild(go, 'raw-exec', './cmd/raw-exec'),
  },
];

/** The routes of the API, for what calls it by HTTP. */
async function writeDescriptors(buf: Run['buf']): Promise<void> {
  const file = join(BUILD, 'sdk-descriptors.binpb');
  await buf(['build', '--path', 'proto/drydock/v1', '--exclude-source-info', '-o', file]);
  const base64 = (await readFile(file)).toString('base64');
  await writeFile(join(ROOT, SDK_MESSAGES, 'descriptors.ts'), `export const DESCRIPTORS =\n  '${base64}';\n`);
}

type GenerateOptions = {
  /** Ends what is being made. */
  signal?: AbortSignal;
  /** Default: all. */
  parts?: readonly Part[];
};

/**
 * Makes what is generated and not committed, side by side; what has not changed is left alone. Brings Go where it is needed
 * and there is none.
 */
export async function generate(tell: Progress, { signal, parts = PARTS }: GenerateOptions = {}): Promise<void> {
  const failure = new AbortController();
  const run = runnerOf(AbortSignal.any([failure.signal, ...(signal ? [signal] : [])]));
  const ready = new Map<string, Promise<void>>();
  const begin = async (step: Step) => {
    await Promise.all((step.after ?? []).map((name) => ready.get(name)));
    const key = await hashOf(step.inputs);
    await makeOnce({ name: step.name, key, outputs: step.outputs }, tell, () => step.make(run));
  };
  const steps = STEPS.filter(({ part }) => parts.includes(part));
  const go = steps.some(({ withGo }) => withGo) ? ensureGo(tell, signal) : Promise.resolve();
  for (const step of steps) ready.set(step.name, step.withGo ? go.then(() => begin(step)) : begin(step));
  await together([go, ...ready.values()], () => failure.abort());
}

/** Generated files whose source was deleted must not stay. */
async function replaceDirectory(directory: string, make: () => Promise<unknown>): Promise<void> {
  await rm(join(ROOT, directory), { recursive: true, force: true });
  await make();
}

type Run = ReturnType<typeof runnerOf>;

function runnerOf(cancelSignal: AbortSignal) {
  const bin = join(ROOT, 'node_modules/.bin');
  return {
    buf: (args: string[]) =>
      execa(join(bin, 'buf'), args, { cwd: ROOT, cancelSignal, env: { PATH: `${bin}:${process.env.PATH}` } }),
    go: (args: string[], cwd: string, env: Record<string, string> = {}) =>
      execa('go', args, { cwd, cancelSignal, env: { CGO_ENABLED: '0', GOFLAGS: GO_FLAGS, ...env } }),
  };
}

/** Built beside and renamed: one that runs is never written to. */
async function goBuild(go: Run['go'], name: string, source: string): Promise<void> {
  const file = join(BUILD, 'bin', name);
  await go(['build', '-ldflags', '-s -w', '-o', `${file}.new`, source], AGENT);
  await rename(`${file}.new`, file);
}

if (import.meta.main) await generate((line) => process.stderr.write(`${line}\n`));
