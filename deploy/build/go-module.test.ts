import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ROOT } from '../host/root.ts';
import { fetchModule, type GoModule } from './go-module.ts';

/** A small one that the agent is built with; its zip and its hash are as the `go` command has them. */
const PATH = 'github.com/creack/pty';
const VERSION = 'v1.1.24';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-module-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

async function moduleOfGo(): Promise<{ zip: string; wanted: GoModule }> {
  const { stdout } = await execa('go', ['mod', 'download', '-json', `${PATH}@${VERSION}`], {
    cwd: join(ROOT, 'services/agent'),
  });
  const { Zip, Sum } = JSON.parse(stdout) as { Zip: string; Sum: string };
  return { zip: Zip, wanted: { path: PATH, version: VERSION, hash: Sum } };
}

/** A module proxy that has one file, for those with the right password. */
async function startProxy(zip: string): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    const known = request.headers.authorization === `Basic ${Buffer.from('me:a secret').toString('base64')}`;
    if (request.url !== `/modules/${PATH}/@v/${VERSION}.zip` || !known) response.writeHead(404).end();
    else createReadStream(zip).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://me:a%20secret@127.0.0.1:${(server.address() as AddressInfo).port}/modules`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a module comes from the first proxy that has it, and its hash is that of the go command', async () => {
  const { zip, wanted } = await moduleOfGo();
  await using proxy = await startProxy(zip);
  vi.stubEnv('GOPROXY', `http://127.0.0.1:1,${proxy.url}/other|${proxy.url},direct`);
  await fetchModule(wanted, join(directory, 'pty'));
  expect(await readdir(directory)).toEqual(['pty']);
  expect(await readFile(join(directory, 'pty/go.mod'), 'utf8')).toContain(`module ${PATH}`);
});

test('a module that is not what the checksum database lists is refused, and nothing of it stays', async () => {
  const { zip, wanted } = await moduleOfGo();
  await using proxy = await startProxy(zip);
  vi.stubEnv('GOPROXY', proxy.url);
  const other = { ...wanted, hash: wanted.hash.replace(/.=$/, 'A=') };
  await expect(fetchModule(other, join(directory, 'pty'))).rejects.toThrow(
    `the Go module proxy sent another ${PATH}@${VERSION} than the checksum database lists: ${wanted.hash}, not ${other.hash}`,
  );
  expect(await readdir(directory)).toEqual([]);
});

test.each([
  ['http://127.0.0.1:1,direct', /from a Go module proxy: 127\.0\.0\.1:1: .+\n {2}fix: check the network and GOPROXY/],
  ['off', /GOPROXY names none/],
])('with GOPROXY=%s a module cannot be fetched', async (proxy, words) => {
  vi.stubEnv('GOPROXY', proxy);
  const wanted = { path: PATH, version: VERSION, hash: 'h1:' };
  await expect(fetchModule(wanted, join(directory, 'pty'))).rejects.toThrow(words);
  expect(await readdir(directory)).toEqual([]);
});
