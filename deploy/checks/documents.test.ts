import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { DIAGRAM, draw, SOURCE } from '../build/diagram.ts';
import { ROOT } from '../host/root.ts';

const LINK = /\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g;
const HEADING = /^#+ (.+)$/gm;
/** Files of tests by the end of their name, wherever they are, and titles in them: `name.test.ts`: _title_, _title_. */
const EVIDENCE = /`([\w.-]+(?:\.test\.ts|_test\.go))`:((?:\s+_[^_\n]+_,?)+)/g;

const { stdout } = await execa('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
const files = stdout.split('\0').filter((name) => name && existsSync(join(ROOT, name)));
const pages = files.filter((name) => name.endsWith('.md'));
const read = (name: string) => readFile(join(ROOT, name), 'utf8');

test('the picture of the architecture is drawn from its source; npm run diagram draws it anew', async () => {
  expect(await readFile(DIAGRAM, 'utf8')).toBe(await draw(await readFile(SOURCE, 'utf8')));
});

describe.each(pages)('%s', (page) => {
  test('links to files and headings that exist', async () => {
    const missing: string[] = [];
    for (const [, target = '', heading] of (await read(page)).matchAll(LINK)) {
      if (/^[a-z]+:/.test(target)) continue;
      const name = target ? join(dirname(page), target) : page;
      if (!existsSync(join(ROOT, name))) missing.push(name);
      else if (heading && !(await anchorsOf(name)).includes(heading)) missing.push(`${name}#${heading}`);
    }
    expect(missing).toEqual([]);
  });

  test('names tests that exist', async () => {
    const missing: string[] = [];
    for (const [, name, titles] of (await read(page)).matchAll(EVIDENCE)) {
      const code = await Promise.all(files.filter((file) => file.endsWith(name!)).map(read));
      for (const [, title] of titles!.matchAll(/_([^_]+)_/g))
        if (!code.some((text) => text.includes(title!))) missing.push(`${name}: ${title}`);
    }
    expect(missing).toEqual([]);
  });
});

/** What links to the headings of a page, or of a folder's README, end in. */
async function anchorsOf(name: string): Promise<string[]> {
  const page = name.endsWith('.md') ? name : join(name, 'README.md');
  return [...(await read(page)).matchAll(HEADING)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
