import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Graphviz } from '@hpcc-js/wasm-graphviz';
import { ROOT } from '../host/root.ts';

export const SOURCE = join(ROOT, 'services/architecture.dot');
export const DIAGRAM = join(ROOT, 'services/architecture.svg');

/** The SVG of a graph in Graphviz's language, the same for the same source. */
export async function draw(source: string): Promise<string> {
  const graphviz = await Graphviz.load();
  return graphviz.dot(source, 'svg');
}

if (import.meta.main) await writeFile(DIAGRAM, await draw(await readFile(SOURCE, 'utf8')));
