import type { ArchiveFile } from './archive.ts';
import type { Findings } from './findings.ts';
import { byPath, checkCases, type Package } from './package.ts';

const CASE = /\.(in|ans|out)$/;

/** A zip of `*.in`, each with an `*.ans` or `*.out` beside it. */
export function readPlain(files: ReadonlyMap<string, ArchiveFile>, findings: Findings): Package {
  const cases = [...files.values()]
    .filter(({ path }) => path.endsWith('.in'))
    .sort(byPath)
    .flatMap((input) => {
      const stem = input.path.slice(0, -'.in'.length);
      const [ans, out] = [files.get(`${stem}.ans`), files.get(`${stem}.out`)];
      if (ans && out) findings.invalid(out.path, '', `is there beside ${ans.path}; leave one out`);
      const answer = ans ?? out;
      if (!answer) findings.invalid(input.path, '', 'has no .ans or .out beside it');
      return answer ? [{ name: stem, input, answer }] : [];
    });
  for (const { path } of files.values()) {
    if (!CASE.test(path)) findings.note(path, '', 'is no part of a test case');
    else if (!path.endsWith('.in') && !files.has(path.replace(CASE, '.in')))
      findings.invalid(path, '', 'has no .in beside it');
  }
  checkCases(cases, findings, 'the zip');
  return { name: '', cases, comparison: 'TRAILING_SPACE', caseInsensitive: false };
}
