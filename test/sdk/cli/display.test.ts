import { expect, test } from 'vitest';
import { openTenant } from '../fixture.ts';
import { drydock, environment, openTerminal } from './fixture.ts';

/** A tenant with a sandbox that has this label. */
async function labelled(label: string) {
  const tenant = await openTenant();
  const { id } = await tenant.drydock.sandboxes.create('python', { lifetime: '5m', metadata: { label } });
  return Object.assign(tenant, { id, env: environment(tenant.secret) });
}

const HOSTILE = '\x1b]0;owned\x07\x1b[2Jx\x9b2J\u202eyz';

test.concurrent('a terminal gets a table, all else JSON', async () => {
  await using tenant = await labelled('plain');
  await using terminal = openTerminal(['sandbox', 'list'], { env: tenant.env, columns: 120 });
  expect(await terminal.ended).toBe(0);
  const [head, row] = terminal.text().split('\n');
  expect(head).toMatch(/^id +template +state +expires +labels$/);
  expect(row).toMatch(new RegExp(`^${tenant.id}  python +RUNNING  .*Z  label=plain$`));
  expect(terminal.raw()).toContain('\x1b[32mRUNNING');
  await using plain = openTerminal(['sandbox', 'list'], { env: { ...tenant.env, NO_COLOR: '1' }, columns: 120 });
  await plain.ended;
  expect(plain.text()).toBe(terminal.text());
  expect(plain.raw()).not.toContain('\x1b[');
  expect(JSON.parse((await drydock(['sandbox', 'list'], { env: tenant.env })).stdout)).toMatchObject([
    { id: tenant.id },
  ]);
});

test.concurrent('a narrow terminal gets a block for each row', async () => {
  await using tenant = await labelled('plain');
  await using terminal = openTerminal(['sandbox', 'list'], { env: tenant.env, columns: 20, rows: 50 });
  await terminal.ended;
  const joined = terminal.text().replaceAll('\n', '');
  for (const word of ['template', 'python', 'RUNNING', 'label=plain', tenant.id]) expect(joined).toContain(word);
});

test.concurrent('columns stand below each other beside wide and combining characters', async () => {
  await using tenant = await labelled('日本語 e\u0301 👩‍💻');
  await tenant.drydock.sandboxes.create('python', { lifetime: '5m', metadata: { label: 'ascii' } });
  await tenant.drydock.apiKeys.create('日本e\u0301');
  await using terminal = openTerminal(['keys', 'list'], { env: { ...tenant.env, NO_COLOR: '1' }, columns: 160 });
  await terminal.ended;
  const { active } = terminal.screen.buffer;
  const cellsOf = (line: number) => {
    const found = active.getLine(line)!;
    return Array.from({ length: found.length }, (_, at) => found.getCell(at)!.getChars() || '').map(
      (text) => text || ' ',
    );
  };
  const columnOf = (line: number, text: string) => {
    const cells = cellsOf(line);
    return cells.findIndex((_, at) => cells.slice(at, at + text.length).join('') === text);
  };
  const head = columnOf(0, 'state');
  expect(head).toBeGreaterThan(0);
  expect([columnOf(1, 'ACTIVE'), columnOf(2, 'ACTIVE')]).toEqual([head, head]);
});

test.concurrent.each(['table', 'json', 'jsonl', 'yaml'])(
  'names of others do not act on the terminal: %s',
  async (format) => {
    await using tenant = await labelled(HOSTILE);
    const { stdout } = await drydock(['sandbox', 'list', '-o', format], { env: tenant.env });
    expect(stdout).toContain('owned');
    expect(stdout).toMatch(/^[\n\x20-\x7e]*$/);
    const refused = await drydock(['sandbox', 'create', HOSTILE], { env: tenant.env });
    expect(refused.stderr).toMatch(/^[\n\x20-\x7e]*$/);
  },
);

test.concurrent('more than was asked for is told of on standard error', async () => {
  await using tenant = await labelled('a');
  await tenant.drydock.sandboxes.create('python', { lifetime: '5m' });
  const ran = await drydock(['sandbox', 'list', '--limit', '1'], { env: tenant.env });
  expect(JSON.parse(ran.stdout)).toHaveLength(1);
  expect(ran.stderr).toContain('--limit');
});
