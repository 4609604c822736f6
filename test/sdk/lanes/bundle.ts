import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const HERE = import.meta.dirname;

/** What the scenarios import of vitest and of this machine, as a program of its own has it. */
const STAND_INS: [RegExp, string][] = [
  [/^vitest$/, 'expectations.ts'],
  [/^\.\.\/fixture\.ts$/, 'fixture.ts'],
  [/^\.\.\/(gateway|proxy)\.ts$/, 'controls.ts'],
];

const standIns: Plugin = {
  name: 'stand-ins',
  setup({ onResolve }) {
    for (const [filter, file] of STAND_INS) onResolve({ filter }, () => ({ path: join(HERE, file) }));
  },
};

/** A program of all scenarios for a runtime like Node, which finds the SDK installed beside it. */
export async function bundleProgram(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(HERE, 'process-main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['@drydock/sdk'],
    plugins: [standIns],
    tsconfigRaw: '{}',
    logLevel: 'error',
  });
}

/** The same for a page, with the SDK as a user's bundler takes it from the project that it is installed in. */
export async function bundlePage(project: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(HERE, 'page-main.ts')],
    write: false,
    bundle: true,
    platform: 'browser',
    format: 'esm',
    plugins: [standIns, installedIn(project)],
    // What starts processes is reached only where a runtime says how.
    alias: { 'node:child_process': join(HERE, 'no-processes.ts') },
    tsconfigRaw: '{}',
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}

function installedIn(project: string): Plugin {
  return {
    name: 'installed SDK',
    setup({ onResolve, resolve }) {
      onResolve({ filter: /^@drydock\/sdk$/ }, ({ path, kind, pluginData }) =>
        pluginData === 'found' ? undefined : resolve(path, { kind, resolveDir: project, pluginData: 'found' }),
      );
    },
  };
}
