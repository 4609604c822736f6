import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { listen } from '../support/ports.ts';
import { environmentOf, follow, leftBehind, type Run, run } from './start-process.ts';

let directory: string;
let environment: Record<string, string>;
beforeAll(async () => {
  // Short, for the sockets in it.
  directory = await mkdtemp('/tmp/dd-');
  environment = await environmentOf(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const start = (more: Record<string, string> = {}) =>
  run('deploy/local/start.ts', ['--small', '--once'], { ...environment, ...more });

/** A disk of its own in memory, with what `mount` is told besides; it is there until the test has ended. */
async function mountDisk(name: string, options: string): Promise<string> {
  const path = join(directory, name);
  await mkdir(path);
  await execa('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  onTestFinished(async () => {
    await execa('umount', [path]);
  });
  return path;
}

/** It ended with one line of what is wrong and one of what to do, and left nothing that runs. */
async function expectRefusal(refused: Run, problem: RegExp, fix: RegExp, dataDirectory = directory): Promise<void> {
  expect(await refused.ended, refused.text()).toBe(1);
  const [empty, line, remedy, ...others] = refused.lines.slice(refused.lines.lastIndexOf(''));
  expect([empty, ...others], refused.text()).toEqual(['']);
  expect(line).toMatch(new RegExp(`^cannot go on: ${problem.source}`));
  expect(remedy).toMatch(new RegExp(`^ {2}fix: .*${fix.source}`));
  expect(await leftBehind(dataDirectory)).toEqual([]);
}

async function expectStart(started: Run, dataDirectory = directory): Promise<void> {
  expect(await started.ended, started.text()).toBe(0);
  expect(started.text()).toContain('Hello from Python');
  expect(await leftBehind(dataDirectory)).toEqual([]);
}

test('a directory that newer code has written is not touched', async () => {
  for (const [name, version] of [
    ['layout', 2],
    ['session', 9000],
  ] as const) {
    const written = JSON.stringify({ layout: 1, auth: 1, session: 1, [name]: version });
    await writeFile(`${directory}/version.json`, written);
    const problem = new RegExp(`${directory} was written by a newer version \\(${name} ${version}, here \\d+\\)`);
    await expectRefusal(start(), problem, /update this checkout, or set DRYDOCK_DATA_DIR/);
    expect(await readdir(directory)).toEqual(['version.json']);
    expect(await readFile(`${directory}/version.json`, 'utf8')).toBe(written);
  }
  await rm(`${directory}/version.json`);
});

test('a port that somebody else listens on is named with the variable that moves it', async () => {
  await using _taken = await listen(Number(environment.DRYDOCK_HTTP_PORT));
  const problem = new RegExp(`port ${environment.DRYDOCK_HTTP_PORT} is taken$`);
  await expectRefusal(start(), problem, /set DRYDOCK_HTTP_PORT$/);
  expect(existsSync(`${directory}/postgres`)).toBe(false);
});

test('an engine that is killed while it starts ends the start; of starts at once the next time, one starts', async () => {
  const refused = start();
  await expect.poll(() => existsSync(`${directory}/run/dockerd.pid`), { timeout: 20_000, interval: 5 }).toBe(true);
  process.kill(Number((await readFile(`${directory}/run/dockerd.pid`, 'utf8')).split('\n')[0]), 'SIGKILL');
  await expectRefusal(refused, /dockerd ended by itself \(SIGKILL\)/, /npm start -- logs dockerd shows more/);

  const starts = [start(), start(), start(), start()];
  const codes = await Promise.all(starts.map(({ ended }) => ended));
  const texts = starts.map(({ text }) => text()).join('\n\n');
  expect(codes.sort(), texts).toEqual([0, 1, 1, 1]);
  expect(texts.match(new RegExp(`^cannot go on: another npm start holds ${directory}/run$`, 'gm'))).toHaveLength(3);
  await expectStart(starts.find(({ text }) => text().includes('first program'))!);
});

test('a directory inside one that is closed to the user of PostgreSQL is named', async () => {
  await chmod(directory, 0o700);
  const inside = `${directory}/inside`;
  const problem = new RegExp(`the user postgres, as whom PostgreSQL runs, may not pass through ${directory}$`);
  await expectRefusal(start({ DRYDOCK_DATA_DIR: inside }), problem, /chmod o\+x/, inside);
});

test('a disk that is read-only is named', async () => {
  const disk = await mountDisk('read-only', 'ro');
  const problem = new RegExp(`cannot write to ${disk}: the disk is read-only$`);
  const more = { DRYDOCK_DATA_DIR: disk };
  await expectRefusal(start(more), problem, /make it writable, or set DRYDOCK_DATA_DIR/, disk);
});

test('a disk that is full, before or while it starts, is named; with room, the next start comes up', async () => {
  await chmod(directory, 0o755);
  const disk = await mountDisk('full', 'size=500m');
  const resize = (size: string) => execa('mount', ['-o', `remount,size=${size}`, disk]);
  const more = { DRYDOCK_DATA_DIR: disk };
  const before = new RegExp(`the disk of ${disk} is full: \\d+ MiB are free, a start needs 1024$`);
  await expectRefusal(start(more), before, /free some, or set DRYDOCK_DATA_DIR/, disk);

  await resize('1200m');
  const starting = start(more);
  await expect.poll(() => existsSync(`${disk}/postgres.new`), { timeout: 20_000, interval: 5 }).toBe(true);
  await resize('24m');
  await expectRefusal(starting, /the disk is full: /, /make room/, disk);
  await resize('1200m');
  await expectStart(start(more), disk);
});

test('without a network a start says what cannot be fetched; with the images it needs none', async () => {
  const offline = (more: Record<string, string>) =>
    follow(
      [
        'unshare',
        '--net',
        'sh',
        '-ec',
        'ip link set lo up; exec sh deploy/host/bootstrap.sh deploy/local/start.ts --small --once',
      ],
      { ...environment, ...more },
    );
  await chmod(directory, 0o755);
  const more = { DRYDOCK_DATA_DIR: `${directory}/offline` };
  const empty = { ...more, DRYDOCK_IMAGE_CACHE: `${directory}/offline/images` };
  await expectRefusal(
    offline(empty),
    /image python cannot be built: Failed to fetch http/,
    /check the network.*npm start -- logs images shows more/,
    `${directory}/offline`,
  );
  expect(await readdir(empty.DRYDOCK_IMAGE_CACHE)).toEqual([expect.stringMatching(/\.lock$/)]);
  await expectStart(offline(more), `${directory}/offline`);
});
