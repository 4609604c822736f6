import pino from 'pino';
import { expect, test } from 'vitest';
import { createScheduler, type Dependencies } from './scheduler.ts';

const log = pino({ level: 'silent' });

test.each<[string, string, string[]]>([
  ['takes its sandboxes with it', '', ['one']],
  ['of a cluster leaves its sandboxes to another one', 'a cluster', []],
])('an executor that is lost ends what waits for it, and %s', (_, cluster, recorded) => {
  const ended: string[] = [];
  const marked: string[] = [];
  const { executorLost } = createScheduler({
    executors: { lost: (executorId: string) => ended.push(executorId) },
    session: {
      async markExecutorLost({ executorId }: { executorId: string }) {
        marked.push(executorId);
        return {};
      },
    },
    log,
  } as unknown as Dependencies);
  executorLost({ executorId: 'one', cluster });
  expect(ended).toEqual(['one']);
  expect(marked).toEqual(recorded);
});
