import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { execa } from 'execa';
import { imageTag } from '../../deploy/images/build.ts';
import { forkAndExec } from './fork.ts';
import type { Measured } from './measure.ts';

/** What a user would do with the engine alone, through its API, which is quicker than its command line. */
export async function openEngineBaselines(socketPath: string, iterations: number) {
  const docker = new Docker({ socketPath });
  const Image = await imageTag('python');
  const HostConfig = { NetworkMode: 'none' };
  const idle = await docker.createContainer({
    Image,
    Entrypoint: ['/usr/bin/sleep', 'infinity'],
    HostConfig,
    User: '1000',
  });
  await idle.start();
  const { State } = await idle.inspect();

  return {
    /** Fork and exec in the image's root, with nothing around. */
    async raw(name: string, words: readonly string[]): Promise<Measured> {
      const fork = { root: `/proc/${State.Pid}/root`, words };
      await forkAndExec(name, { ...fork, iterations: 10 });
      return await forkAndExec(name, { ...fork, iterations });
    },

    /** The image's files, for those that bring a sandbox and no image. Disposing removes them. */
    async unpackRoot(): Promise<{ path: string } & AsyncDisposable> {
      const path = await mkdtemp(join(tmpdir(), 'drydock-root-'));
      await using made = new AsyncDisposableStack();
      made.defer(() => rm(path, { recursive: true, force: true }));
      await chmod(path, 0o755);
      const archive = (await idle.export()) as Readable;
      await execa('tar', ['-x', '-C', path], { input: archive });
      const kept = made.move();
      return { path, [Symbol.asyncDispose]: () => kept.disposeAsync() };
    },

    /** Create, start, wait, read the output, remove. */
    async run(words: readonly string[]): Promise<void> {
      const container = await docker.createContainer({
        Image,
        Entrypoint: [...words],
        Cmd: [],
        HostConfig,
        User: '1000',
      });
      try {
        const ended = container.wait({ condition: 'next-exit' });
        await container.start();
        const { StatusCode } = await ended;
        await container.logs({ stdout: true, stderr: true });
        if (StatusCode !== 0) throw new Error(`exit code ${StatusCode}`);
      } finally {
        await container.remove({ force: true });
      }
    },

    /** One command in a container that runs already. */
    async exec(words: readonly string[]): Promise<void> {
      const exec = await idle.exec({
        Cmd: [...words],
        AttachStdout: true,
        AttachStderr: true,
      });
      const stream = await exec.start({ hijack: true, stdin: false });
      await new Promise((resolve, reject) => stream.resume().once('end', resolve).once('error', reject));
      const { ExitCode } = await exec.inspect();
      if (ExitCode !== 0) throw new Error(`exit code ${ExitCode}`);
    },

    [Symbol.asyncDispose]: () => idle.remove({ force: true }),
  };
}
