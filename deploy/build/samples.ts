import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sample } from '../../services/gateway/docs/samples.ts';
import { ROOT } from '../host/root.ts';

type Source = { file: string; lang: string; label: string };

/** Programs that the tests run, with a part for each operation of the API. */
export const SAMPLE_SOURCES: readonly Source[] = [
  { file: 'libs/sdk/curl/operations.sh', lang: 'Shell', label: 'curl' },
  { file: 'libs/sdk/typescript/examples/operations.ts', lang: 'TypeScript', label: 'TypeScript' },
];

const BEGIN = /^\s*(?:\/\/|#) sample (\w+)$/;
const END = /^\s*(?:\/\/|#) end$/;

/** The parts of the programs between `sample OPERATION_ID` and `end`, by operation. Throws where one is not closed. */
export async function gatherSamples(): Promise<Record<string, Sample[]>> {
  const samples: Record<string, Sample[]> = {};
  for (const { file, lang, label } of SAMPLE_SOURCES) {
    let part: { operation: string; lines: string[] } | undefined;
    for (const line of (await readFile(join(ROOT, file), 'utf8')).split('\n')) {
      const operation = BEGIN.exec(line)?.[1];
      if (operation && part) throw new Error(`${file}: the sample ${part.operation} has no end`);
      if (operation) part = { operation, lines: [] };
      else if (part && END.test(line)) {
        const sample = { lang, label, source: dedent(part.lines) };
        samples[part.operation] = [...(samples[part.operation] ?? []), sample];
        part = undefined;
      } else part?.lines.push(line);
    }
    if (part) throw new Error(`${file}: the sample ${part.operation} has no end`);
  }
  return samples;
}

function dedent(lines: readonly string[]): string {
  const indents = lines.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length);
  const indent = Math.min(...indents);
  return lines.map((line) => line.slice(indent)).join('\n');
}
