import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { ROOT } from '../../deploy/local/root.ts';
import { withTranscript, writeTranscript } from '../transcript.ts';

const README = join(ROOT, 'README.md');

test('the README’s transcript is what its commands print; UPDATE_README=1 writes it anew', async () => {
  const platform = inject('platform');
  const page = await readFile(README, 'utf8');
  const current = withTranscript(page, await writeTranscript(platform, platform.apiKey));
  if (process.env.UPDATE_README) await writeFile(README, current);
  else expect(page).toBe(current);
});
