import { appendFileSync } from 'node:fs';
import type { Reporter, TestCase } from 'vitest/node';

const MAX_MESSAGE_CHARACTERS = 500;

/**
 * A reporter that writes a line into the file `TEST_REMARKS` for each test that was left out, and why, and for each that passed only
 * when it was tried again, and how it had failed.
 */
class Remarks implements Reporter {
  onTestCaseResult(test: TestCase): void {
    if (!process.env.TEST_REMARKS) return;
    const remark = remarkOn(test);
    if (remark) appendFileSync(process.env.TEST_REMARKS, `${remark}\n`);
  }
}

function remarkOn(test: TestCase): string | undefined {
  const result = test.result();
  if (result.state === 'skipped') return `skipped ${test.fullName}: ${result.note ?? 'no reason given'}`;
  if (!test.diagnostic()?.flaky) return undefined;
  const [first] = result.errors ?? [];
  const at = first?.stacks?.[0] ? ` (line ${first.stacks[0].line})` : '';
  return `unsteady ${test.fullName}${at}: ${first?.message.slice(0, MAX_MESSAGE_CHARACTERS) ?? 'no error kept'}`;
}

// biome-ignore lint/style/noDefaultExport: vitest takes no other
export default Remarks;
