import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { lockFile } from '../host/file-lock.ts';
import { BUILD, type Progress, ROOT } from '../host/root.ts';
import { readSettings } from '../host/settings.ts';
import { ensureSystemPackages } from '../host/system-packages.ts';
import { hashOf, makeOnce } from './made-once.ts';

const SOURCE = join(ROOT, 'libs/sdk/java');
const GENERATORS = join(BUILD, 'java');
const REPOSITORY = join(BUILD, 'sdk/java');
const BIN = join(ROOT, 'node_modules/.bin');
/** Below the data directory: what Maven has fetched, for any number of checkouts. */
const FETCHED = 'cache/maven';
const NEEDED = [
  { command: 'javac', package: 'default-jdk-headless', unless: () => false },
  { command: 'mvn', package: 'maven', unless: () => false },
];
/** What Maven calls the processors that Node knows. */
const PROCESSORS: Record<string, string> = { x64: 'x86_64', arm64: 'aarch_64' };

export type JavaPackage = {
  /** A Maven repository, as a `file:` URL, with the jar, its POM, its sources and its documentation. */
  repository: string;
  version: string;
};

/** Packs the Java SDK into `.build/sdk/java`, unless nothing has changed since. */
export async function packJava(tell: Progress): Promise<JavaPackage> {
  await ensureSystemPackages(tell, NEEDED);
  const version = await versionOf(join(SOURCE, 'pom.xml'));
  const packed = { repository: `file:${REPOSITORY}`, version };
  const inputs = ['libs/sdk/java/{src,examples}/**/*.java', 'libs/sdk/java/{pom.xml,buf.gen.yaml}'];
  const key = await hashOf([...inputs, 'proto/drydock/v1/*.proto', 'deploy/build/sdk-java.ts']);
  await makeOnce({ name: `drydock-${version}.jar`, key, outputs: [REPOSITORY] }, tell, async () => {
    await generateMessages();
    await rm(REPOSITORY, { recursive: true, force: true });
    await maven(SOURCE, ['deploy', `-DaltDeploymentRepository=packed::${packed.repository}`]);
  });
  return packed;
}

/** Compiles the project of a user with the packed SDK, whose jar and dependencies are left in `lib`. */
export function installJava(project: string, { repository, version }: JavaPackage): Promise<void> {
  const options = [`-Dpacked=${repository}`, `-Ddrydock.version=${version}`, '-DoutputDirectory=lib'];
  // Of the same version, but packed anew.
  return maven(project, ['compile', 'dependency:copy-dependencies', ...options], { forget: 'dev/drydock' });
}

/** Runs Maven in a directory, with what was fetched before but for the groups to `forget`. */
async function maven(cwd: string, args: readonly string[], { forget }: { forget?: string } = {}): Promise<void> {
  const { dataDirectory } = readSettings(process.env, 1);
  const fetched = join(dataDirectory, FETCHED);
  await mkdir(fetched, { recursive: true });
  // Maven guards its files against threads, and not against processes.
  await using _lock = await lockFile(`${fetched}.lock`);
  if (forget) await rm(join(fetched, forget), { recursive: true, force: true });
  await execa('mvn', ['--batch-mode', '--quiet', `-Dmaven.repo.local=${fetched}`, ...args], { cwd, all: true });
}

/** Messages and stubs, by buf and the generators that their authors publish. */
async function generateMessages(): Promise<void> {
  const processor = PROCESSORS[process.arch];
  const generators = ['protoc', 'protoc-gen-grpc-java'].map((name) => join(GENERATORS, name));
  const options = [`-Dgenerator.directory=${GENERATORS}`, `-Dgenerator.platform=linux-${processor}`];
  await maven(SOURCE, ['dependency:copy@generators', ...options]);
  for (const generator of generators) await chmod(generator, 0o755);
  // Neither sources nor classes of what was deleted stay.
  await rm(join(SOURCE, 'target'), { recursive: true, force: true });
  const contract = join(GENERATORS, 'contract.json');
  await buf(['build', '--path', 'proto/drydock/v1', '--output', contract]);
  const image = JSON.parse(await readFile(contract, 'utf8')) as { file: { messageType?: Message[] }[] };
  for (const { messageType = [] } of image.file) messageType.forEach(renameForJava);
  await writeFile(contract, JSON.stringify(image));
  await buf(['generate', '--template', 'libs/sdk/java/buf.gen.yaml', contract]);
}

async function buf(args: readonly string[]): Promise<void> {
  await execa(join(BIN, 'buf'), args, { cwd: ROOT, all: true, env: { PATH: `${BIN}:${process.env.PATH}` } });
}

/** A message of an image of buf, as JSON. */
type Message = { field?: { name: string; type: string }[]; nestedType?: Message[] };

/**
 * In Java the text `stdin` has an accessor `stdinBytes` too, which the bytes `stdin_bytes` beside it would have again. What is sent
 * has numbers, not names.
 */
function renameForJava({ field: fields = [], nestedType = [] }: Message): void {
  const texts = new Set(fields.filter(({ type }) => type === 'TYPE_STRING').map(({ name }) => `${name}_bytes`));
  for (const field of fields) if (texts.has(field.name)) field.name = field.name.replace(/_bytes$/, '_data');
  nestedType.forEach(renameForJava);
}

async function versionOf(pom: string): Promise<string> {
  const [, version = ''] = /<version>([^<]+)<\/version>/.exec(await readFile(pom, 'utf8')) ?? [];
  return version;
}
