import type { Findings } from './findings.ts';
import type { Package } from './package.ts';

/** How the usual output validator compares: words, without regard to case. */
export const USUAL: Pick<Package, 'comparison' | 'floatTolerance' | 'caseInsensitive'> = {
  comparison: 'TOKENS',
  caseInsensitive: true,
};

/** Flags as arguments. */
export function wordsOfFlags(flags: unknown): string[] {
  return (Array.isArray(flags) ? flags.map(String) : String(flags ?? '').split(/\s+/)).filter(Boolean);
}

/** The comparison that flags of the usual output validator ask for. `flags` are a text or a list. */
export function readFlags(flags: unknown, file: string, key: string, findings: Findings): typeof USUAL {
  const wanted = { caseInsensitive: true, exact: false };
  const tolerances: { absolute?: number; relative?: number } = {};
  const queue = wordsOfFlags(flags).values();
  for (const flag of queue) {
    if (flag === 'case_sensitive') wanted.caseInsensitive = false;
    else if (flag === 'space_change_sensitive') wanted.exact = true;
    else if (/^float_(absolute_|relative_)?tolerance$/.test(flag)) {
      const tolerance = Number(queue.next().value);
      if (!(tolerance > 0 && tolerance <= 1)) findings.unsupported(file, key, `${flag} must be above 0 and at most 1`);
      if (flag !== 'float_relative_tolerance') tolerances.absolute = tolerance;
      if (flag !== 'float_absolute_tolerance') tolerances.relative = tolerance;
    } else findings.unsupported(file, key, `the flag ${flag} is unknown`);
  }
  const { absolute, relative } = tolerances;
  const { caseInsensitive, exact } = wanted;
  if (absolute === undefined && relative === undefined)
    return { comparison: exact ? 'EXACT' : 'TOKENS', caseInsensitive };
  if (absolute !== relative)
    findings.unsupported(file, key, 'the absolute tolerance and the relative one must be the same');
  if (exact) findings.unsupported(file, key, 'space_change_sensitive cannot be combined with tolerances');
  return { comparison: 'FLOAT', floatTolerance: absolute ?? relative ?? 0, caseInsensitive };
}
