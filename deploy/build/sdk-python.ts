import { spawnSync } from 'node:child_process';
import { cp, glob, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { BUILD, type Progress, ROOT } from '../host/root.ts';
import { readSettings } from '../host/settings.ts';
import { ensureSystemPackages, type Need } from '../host/system-packages.ts';
import { hashOf, makeOnce } from './made-once.ts';

const SOURCE = 'libs/sdk/python';
const CODE = `${SOURCE}/src/drydock`;
const MESSAGES = `${CODE}/v1`;
const PROTOS = 'proto/drydock/v1';
/** Of the generator, and of what checks the package. */
const TOOLS = join(BUILD, 'python-tools');

const NEEDS: Need[] = [
  { command: 'python3', package: 'python3', unless: () => false },
  // A module, which Debian keeps apart.
  {
    command: 'python3-ensurepip',
    package: 'python3-venv',
    unless: () => spawnSync('python3', ['-c', 'import ensurepip']).status === 0,
  },
];

/** Packages of PyPI are fetched once. */
const pip = (...args: string[]) =>
  execa(join(TOOLS, 'bin/python'), ['-m', 'pip', '--disable-pip-version-check', '--quiet', ...args], {
    all: true,
    env: {
      PIP_CACHE_DIR: join(readSettings(process.env, 1).dataDirectory, 'cache/pip'),
      PIP_ROOT_USER_ACTION: 'ignore',
    },
  });

/** Runs a program of the tools. */
export const pythonTool = (
  name: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
) => execa(join(TOOLS, 'bin', name), args, { cwd: ROOT, all: true, ...options });

/** Packs the wheel and the source distribution of the Python SDK into a directory, and answers with their files. */
export async function packPython(packages: string, tell: Progress): Promise<{ wheel: string; source: string }> {
  await ensureTools(tell);
  await generatePython(tell);
  const directory = join(packages, 'python');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  for (const name of ['pyproject.toml', 'README.md', 'src', 'examples'])
    await cp(join(ROOT, SOURCE, name), join(directory, name), {
      recursive: true,
      filter: (path) => !path.includes('__pycache__'),
    });
  await cp(join(ROOT, 'LICENSE'), join(directory, 'LICENSE'));
  for await (const old of glob('drydock_client-*', { cwd: packages })) await rm(join(packages, old));
  await pythonTool('python', ['-m', 'hatchling', 'build', '-d', packages], { cwd: directory });
  const [source = '', wheel = ''] = (await Array.fromAsync(glob('drydock_client-*', { cwd: packages })))
    .sort((one, other) => Number(one.endsWith('.whl')) - Number(other.endsWith('.whl')))
    .map((name) => join(packages, name));
  tell(`${wheel.split('/').at(-1)} and its source distribution`);
  return { wheel, source };
}

/** Makes a virtual environment with these packages, paths or names, and answers with its Python. */
export async function installPython(directory: string, names: string[]): Promise<string> {
  await execa('python3', ['-m', 'venv', '--without-pip', directory], { all: true });
  const python = join(directory, 'bin/python');
  await pip('--python', python, 'install', ...names);
  return python;
}

async function ensureTools(tell: Progress): Promise<void> {
  await ensureSystemPackages(tell, NEEDS);
  const { stdout: version } = await execa('python3', ['-VV']);
  const key = `${version}\n${await readFile(join(ROOT, SOURCE, 'tools.txt'), 'utf8')}`;
  await makeOnce({ name: 'tools of the Python SDK', key, outputs: [TOOLS] }, tell, async () => {
    await rm(TOOLS, { recursive: true, force: true });
    await execa('python3', ['-m', 'venv', TOOLS], { all: true });
    await pip('install', '--requirement', join(ROOT, SOURCE, 'tools.txt'));
  });
}

/** Messages and stubs from the protos, and the surface of threads from that of asyncio. */
async function generatePython(tell: Progress): Promise<void> {
  const inputs = [`${PROTOS}/*.proto`, `${CODE}/_async/*.py`, `${SOURCE}/tools.txt`, `${SOURCE}/unasync_surface.py`];
  const key = await hashOf(inputs);
  const outputs = [MESSAGES, `${CODE}/_sync`];
  await makeOnce({ name: 'messages and threads of the Python SDK', key, outputs }, tell, async () => {
    for (const directory of outputs) await rm(join(ROOT, directory), { recursive: true, force: true });
    const out = `${SOURCE}/src`;
    const protos = (await Array.fromAsync(glob(`${PROTOS}/*.proto`, { cwd: ROOT }))).sort();
    const messages = [`--python_out=${out}`, `--grpc_python_out=${out}`];
    const types = [`--mypy_out=quiet:${out}`, `--mypy_grpc_out=quiet:${out}`];
    const paths = ['-I', 'proto', '-I', 'node_modules/google-gax/build/protos'];
    await pythonTool('python', ['-m', 'grpc_tools.protoc', ...paths, ...messages, ...types, ...protos], {
      env: { PATH: `${join(TOOLS, 'bin')}:${process.env.PATH}` },
    });
    await unasync(`${CODE}/_async`, `${CODE}/_sync`);
  });
}

/** Makes a folder of Python for threads from one for asyncio. */
export async function unasync(from: string, to: string): Promise<void> {
  await pythonTool('python', [join(ROOT, SOURCE, 'unasync_surface.py'), from, to]);
  await pythonTool('ruff', ['format', '--quiet', '--isolated', '--line-length=120', to]);
}
