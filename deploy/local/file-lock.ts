import { execa } from 'execa';

/** Waits for a lock that ends with this process, however it ends: `flock` holds it while its input is open. */
export async function lockFile(file: string): Promise<AsyncDisposable> {
  const holder = execa('flock', [file, 'sh', '-c', 'echo held; exec cat'], { buffer: false });
  const first = await holder.iterable().next();
  if (first.done) await holder;
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await holder;
    },
  };
}
