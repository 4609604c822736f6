import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startPostgres } from './postgres.ts';

test('a directory that is no whole database is left as it is', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'drydock-postgres-'));
  // PostgreSQL's own user passes through.
  await chmod(dataDirectory, 0o755);
  const relation = join(dataDirectory, 'postgres/base/1/1247');
  await mkdir(join(relation, '..'), { recursive: true });
  await writeFile(relation, 'rows');
  try {
    const starting = startPostgres({ dataDirectory, runDirectory: join(dataDirectory, 'run'), port: 1 });
    await expect(starting).rejects.toThrow(/no whole database/);
    expect(await readFile(relation, 'utf8')).toBe('rows');
  } finally {
    await rm(dataDirectory, { recursive: true });
  }
});
