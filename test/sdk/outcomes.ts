import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import Table from 'cli-table3';
import { parse } from 'yaml';
import { BUILD, ROOT } from '../../deploy/host/root.ts';

const DIRECTORY = join(BUILD, 'sdk-outcomes');

/** What every SDK can do, in the order of the list. */
export const SCENARIOS = parse(await readFile(join(ROOT, 'libs/sdk/scenarios.yaml'), 'utf8')) as {
  id: string;
  what: string;
}[];

/** Keeps how the scenarios of a language ended, by their ids, for the table. */
export async function keepOutcomes(language: string, outcomes: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(DIRECTORY, { recursive: true });
  await writeFile(join(DIRECTORY, `${language}.json`), JSON.stringify(Object.fromEntries(outcomes)));
}

export const forgetOutcomes = () => rm(DIRECTORY, { recursive: true, force: true });

/** Scenarios × languages: how long each took, or that it failed or is missing. */
export async function outcomesTable(): Promise<string> {
  const files = (await Array.fromAsync(glob('*.json', { cwd: DIRECTORY }))).sort();
  const languages = await Promise.all(
    files.map(async (file) => JSON.parse(await readFile(join(DIRECTORY, file), 'utf8')) as Record<string, string>),
  );
  const names = files.map((file) => basename(file, '.json'));
  const table = new Table({ head: ['scenario', ...names], style: { head: [], border: [] } });
  for (const { id } of SCENARIOS) table.push([id, ...languages.map((outcomes) => outcomes[id] ?? 'missing')]);
  return table.toString();
}
