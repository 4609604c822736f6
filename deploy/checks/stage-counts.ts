/** Of the tests of a stage; one that only passes or fails counts as one. */
export type Counts = { passed: number; failed: number; skipped: number };

export function addCounts(total: Counts, { passed, failed, skipped }: Counts): void {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}

export function countsLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export function stageLine(name: string, counts: Counts): string {
  return `${counts.failed ? 'FAIL' : 'ok  '} ${name}: ${countsLine(counts)}`;
}
