import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, inject, test } from 'vitest';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { ROOT } from '../../deploy/local/root.ts';
import { withTranscript, writeTranscript } from '../transcript.ts';

const README = join(ROOT, 'README.md');
const { languages } = readCatalog(join(ROOT, 'deploy/images/catalog.json'));

test('the README’s transcript is what its commands print; UPDATE_README=1 writes it anew', async () => {
  const platform = inject('platform');
  const page = await readFile(README, 'utf8');
  const transcript = await writeTranscript(platform, platform.apiKey);
  expect(transcript.match(/^Hello, world! Hello, world!$/gm)).toHaveLength(languages.size);
  const current = withTranscript(page, transcript);
  if (process.env.UPDATE_README) await writeFile(README, current);
  else expect(page).toBe(current);
});

test('the README’s lines for the queue come to a verdict', async () => {
  const { httpUrl, apiKey } = inject('platform');
  const page = await readFile(README, 'utf8');
  const [, script = ''] = /```sh\n(id=[\s\S]*?)```/.exec(page) ?? [];
  const { stdout } = await execa('bash', ['-c', script], { env: { URL: httpUrl, KEY: apiKey } });
  expect(stdout).toBe('ACCEPTED');
});
