import { join } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { imageTag } from '../../deploy/images/build.ts';
import { type Language, readCatalog, type Template } from '../../libs/catalog/catalog.ts';
import { planProgram } from '../../libs/catalog/program.ts';
import { corpus, type Program } from './corpus.ts';

type Step = {
  stdout: string;
  stderr: string;
  exitCode: number | undefined;
  seconds: number;
};

const catalog = readCatalog(join(import.meta.dirname, '../../deploy/images/catalog.json'));

/** A container as locked down as a sandbox, for the programs of one language one after the other. */
async function startContainer(socket: string, language: Language, template: Template, memoryBytes: number) {
  const docker = (args: string[], input = '') =>
    execa('docker', ['--host', `unix://${socket}`, ...args], {
      input,
      stripFinalNewline: false,
      reject: false,
    } as const);
  const { limits } = template;
  const locked = '--network none --read-only --user 1000 --cap-drop ALL --security-opt no-new-privileges'.split(' ');
  const limited = [
    `--memory=${memoryBytes}`,
    `--memory-swap=${memoryBytes}`,
    `--cpus=${limits.cpus}`,
    `--pids-limit=${limits.processes}`,
  ];
  const writable = [
    `--tmpfs=/tmp:size=${limits.diskBytes / 2},mode=1777`,
    `--tmpfs=/home/user:exec,uid=1000,gid=1000,size=${limits.diskBytes / 2}`,
  ];
  const image = await imageTag(template.image);
  const options = ['--detach', '--rm', '--init', ...locked, ...limited, ...writable];
  const started = await docker(['run', ...options, image, 'sleep', 'infinity']);
  if (started.failed) throw new Error(started.stderr);
  const container = started.stdout.trim();
  const environment = Object.entries({
    HOME: '/home/user',
    LANG: 'C.UTF-8',
    ...language.environment,
  });
  const flags = environment.flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  return {
    async exec(command: string[], input?: string): Promise<Step> {
      const since = performance.now();
      const { stdout, stderr, exitCode } = await docker(
        ['exec', '-i', '-w', '/home/user', ...flags, container, ...command],
        input,
      );
      return {
        stdout,
        stderr,
        exitCode,
        seconds: (performance.now() - since) / 1000,
      };
    },
    async [Symbol.asyncDispose]() {
      await docker(['kill', container]);
    },
  };
}

type Container = Awaited<ReturnType<typeof startContainer>>;

async function runProgram(container: Container, language: Language, program: Program, memoryBytes: number) {
  await container.exec(['find', '/home/user', '/tmp', '-mindepth', '1', '-delete']);
  for (const { name, text } of program.files) {
    await container.exec(['sh', '-c', 'mkdir -p "$(dirname "$1")" && cat >"$1"', 'write', name], text);
  }
  const files = program.files.map(({ name }) => name);
  const plan = planProgram(
    language,
    { files, entrypoint: program.entrypoint, compilerOptions: [], arguments: [] },
    { memoryBytes, stackBytes: memoryBytes / 8 },
  );
  const compile = plan.compile && (await container.exec(plan.compile));
  if (compile?.exitCode) return { compile, run: undefined, correct: program.verdict === 'COMPILE_ERROR' };
  const run = await container.exec(plan.run, program.stdin);
  const verdict = run.exitCode === 0 ? 'ACCEPTED' : 'RUNTIME_ERROR';
  return { compile, run, correct: verdict === program.verdict && run.stdout === program.expected };
}

const command = new Command('node test/corpus/verify.ts')
  .description('Runs the corpus with the catalogue’s commands in plain containers, as locked down as sandboxes.')
  .option('--docker-socket <path>', 'unix socket of the engine', '/var/run/docker.sock')
  .option('--language <name...>', 'only these')
  .option('--name <name...>', 'only programs of these names')
  .option('--memory <mebibytes>', 'instead of the template’s memory', Number)
  .option('--show', 'print the output of what fails')
  .parse();
const { dockerSocket, language: languages, name: names, memory, show } = command.opts();

let failures = 0;
for (const language of catalog.languages.values()) {
  const programs = corpus.filter(
    (program) => program.language === language.name && (!names || names.includes(program.name)),
  );
  if (programs.length === 0 || (languages && !languages.includes(language.name))) continue;
  const template = catalog.templates.get(language.template)!;
  const memoryBytes = memory ? memory * 2 ** 20 : template.limits.memoryBytes;
  await using container = await startContainer(dockerSocket, language, template, memoryBytes);
  for (const program of programs) {
    const { compile, run, correct } = await runProgram(container, language, program, memoryBytes);
    if (!correct) failures++;
    const times = `compile ${compile?.seconds.toFixed(2) ?? '–'} s, run ${run?.seconds.toFixed(2) ?? '–'} s`;
    process.stdout.write(`${correct ? 'ok  ' : 'FAIL'} ${language.name} ${program.name}: ${times}\n`);
    if (!correct && show) process.stdout.write(`${JSON.stringify({ compile, run }, undefined, 2)}\n`);
  }
}
process.exitCode = failures > 0 ? 1 : 0;
