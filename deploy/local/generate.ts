import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { missingFile } from '#libs/missing.ts';
import { BUILD, type Progress, ROOT } from './root.ts';

// Their versions, which is all that go install needs to make the same binaries again.
const GO_TOOLS = {
  'protoc-gen-go': 'google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11',
  'protoc-gen-go-grpc': 'google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2',
};

const AGENT = join(ROOT, 'services/agent');

type Step = {
  name: string;
  /** What it is made from: a change makes it again. */
  inputs: string[];
  outputs: string[];
  make: () => Promise<unknown>;
};

const STEPS: Step[] = [
  {
    name: 'Go tools',
    inputs: ['deploy/local/generate.ts'],
    outputs: Object.keys(GO_TOOLS).map((tool) => `.build/bin/${tool}`),
    make: () =>
      Promise.all(Object.values(GO_TOOLS).map((tool) => go(['install', tool], ROOT, { GOBIN: join(BUILD, 'bin') }))),
  },
  {
    name: 'TypeScript from the protos',
    inputs: ['proto/**/*.proto', 'proto/buf.gen.yaml', 'package-lock.json'],
    outputs: ['.build/proto/drydock/v1/sandbox.ts'],
    make: () =>
      replaceDirectory('.build/proto', () =>
        buf(['generate', '--template', 'proto/buf.gen.yaml', '--path', 'proto/drydock']),
      ),
  },
  {
    name: 'Go from the protos',
    inputs: ['proto/drydock/agent/**/*.proto', 'proto/buf.gen.agent.yaml'],
    outputs: ['services/agent/internal/agentv1/agent.pb.go'],
    make: () => buf(['generate', '--template', 'proto/buf.gen.agent.yaml', '--path', 'proto/drydock/agent']),
  },
  {
    name: 'descriptors of the API',
    inputs: ['proto/**/*.proto', 'buf.yaml'],
    outputs: ['.build/descriptors.binpb'],
    make: () => buf(['build', '--path', 'proto/drydock', '-o', '.build/descriptors.binpb']),
  },
  {
    name: 'agent',
    inputs: ['services/agent/**/*.go', 'services/agent/go.sum', 'proto/drydock/agent/**/*.proto'],
    outputs: ['.build/bin/drydock-agent', '.build/bin/cell', '.build/bin/raw-exec'],
    make: async () => {
      await goBuild('drydock-agent', '.');
      await goBuild('cell', './cmd/cell');
      await goBuild('raw-exec', './cmd/raw-exec');
    },
  },
  {
    name: 'seccomp profiles',
    inputs: ['services/agent/cmd/seccomp-profile/*.go', 'services/agent/go.sum'],
    outputs: ['.build/seccomp.json', '.build/seccomp-cells.json'],
    make: async () => {
      const profile = async (...kind: string[]) => (await go(['run', './cmd/seccomp-profile', ...kind], AGENT)).stdout;
      await writeFile(join(BUILD, 'seccomp.json'), await profile());
      await writeFile(join(BUILD, 'seccomp-cells.json'), await profile('cells'));
    },
  },
];

/** Makes everything that is generated and not committed; what has not changed is left alone. */
export async function generate(progress: Progress): Promise<void> {
  await mkdir(join(BUILD, 'stamps'), { recursive: true });
  for (const step of STEPS) {
    const stamp = join(BUILD, 'stamps', step.name.replaceAll(' ', '-'));
    const hash = await hashOf(step.inputs);
    const made = step.outputs.every((output) => existsSync(join(ROOT, output)));
    if (made && (await readFile(stamp, 'utf8').catch(missingFile)) === hash) continue;
    progress(`making ${step.name}`);
    await step.make();
    await writeFile(stamp, hash);
  }
}

async function hashOf(patterns: string[]): Promise<string> {
  const hash = createHash('sha256');
  const files: string[] = [];
  for await (const file of glob(patterns, { cwd: ROOT })) files.push(file);
  for (const file of files.sort()) hash.update(file).update(await readFile(join(ROOT, file)));
  return hash.digest('hex');
}

/** Generated files whose source is gone must not stay. */
async function replaceDirectory(directory: string, make: () => Promise<unknown>): Promise<void> {
  await rm(join(ROOT, directory), { recursive: true, force: true });
  await make();
}

function buf(args: string[]) {
  const bin = join(ROOT, 'node_modules/.bin');
  return execa(join(bin, 'buf'), args, {
    cwd: ROOT,
    env: { PATH: `${bin}:${process.env.PATH}` },
  });
}

function go(args: string[], cwd: string, env: Record<string, string> = {}) {
  return execa('go', args, { cwd, env: { CGO_ENABLED: '0', ...env } });
}

/** Built beside and renamed: one that runs is never written to. */
async function goBuild(name: string, source: string): Promise<void> {
  const file = join(BUILD, 'bin', name);
  await go(['build', '-trimpath', '-ldflags', '-s -w', '-o', `${file}.new`, source], AGENT);
  await rename(`${file}.new`, file);
}

if (import.meta.main) await generate((line) => process.stderr.write(`${line}\n`));
