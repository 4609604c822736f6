import { appendFileSync } from 'node:fs';
import type { Reporter, TestCase } from 'vitest/node';

/** A reporter that writes each test that was left out, and why, as a line of the file `SKIP_REASONS`. */
class SkipReasons implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state !== 'skipped' || !process.env.SKIP_REASONS) return;
    appendFileSync(process.env.SKIP_REASONS, `skipped ${test.fullName}: ${result.note ?? 'no reason given'}\n`);
  }
}

// biome-ignore lint/style/noDefaultExport: vitest takes no other
export default SkipReasons;
