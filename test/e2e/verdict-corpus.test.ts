import { afterAll, describe, expect, inject, test } from 'vitest';
import { isUsual } from '../corpus/corpus.ts';
import { judgements } from '../corpus/judgements.ts';
import { connectGrpc } from '../support/api.ts';

const platform = inject('platform');
const api = connectGrpc(platform, platform.apiKey);
afterAll(() => api[Symbol.dispose]());

describe.concurrent('every language comes to every verdict', () => {
  test.each(judgements.filter(({ language, kind }) => isUsual({ language, name: kind })))(
    '$language: $kind is $verdict',
    async ({ request, verdict, signal }) => {
      const execution = await api.runCode(request);
      expect(execution.verdict, execution.compile?.stderr || execution.stderr).toBe(verdict);
      if (signal) expect(execution.signal).toBe(signal);
    },
  );
});
