import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, inject, test } from 'vitest';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { ROOT } from '../../deploy/host/root.ts';
import { commandsOf, languageCommands, transcribe, withTranscript } from '../support/transcript.ts';

const README = join(ROOT, 'README.md');
const IMAGES = join(ROOT, 'deploy/images/README.md');
const { languages } = readCatalog(join(ROOT, 'deploy/images/catalog.json'));

/** Compares a page with one whose transcript is new; with UPDATE_README=1 it becomes that page. */
async function checkPage(file: string, commands: (page: string) => string[]): Promise<string> {
  const platform = inject('platform');
  const page = await readFile(file, 'utf8');
  const transcript = await transcribe(commands(page), platform, platform.apiKey);
  const current = withTranscript(page, transcript);
  if (process.env.UPDATE_README) await writeFile(file, current);
  else expect(page).toBe(current);
  return transcript;
}

test('the README’s first use prints what it shows; UPDATE_README=1 writes it anew', async () => {
  expect(await checkPage(README, commandsOf)).toMatch(/^42$/m);
});

test('the transcript of the languages is what its commands print; UPDATE_README=1 writes it anew', async () => {
  const transcript = await checkPage(IMAGES, languageCommands);
  expect(transcript.match(/^Hello, world! Hello, world!$/gm)).toHaveLength(languages.size);
});

test('the README’s lines for the queue come to a verdict', async () => {
  const { httpUrl, apiKey } = inject('platform');
  const page = await readFile(README, 'utf8');
  const [, script = ''] = /```sh\n(id=[\s\S]*?)```/.exec(page) ?? [];
  const { stdout } = await execa('bash', ['-c', script], { env: { URL: httpUrl, KEY: apiKey } });
  expect(stdout).toBe('ACCEPTED');
});
