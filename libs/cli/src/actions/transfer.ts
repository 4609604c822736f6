import { randomUUID } from 'node:crypto';
import { createWriteStream, openAsBlob } from 'node:fs';
import { chmod, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FileInfo, Sandbox } from '../../../sdk/typescript/src/index.ts';
import { Failure } from '../failures.ts';
import type { Bar } from '../progress.ts';
import { reasonOf } from './program-source.ts';

/** A file that tells how much of it was read, and can be read again when a transfer is repeated. */
class CountedBlob extends Blob {
  readonly #bar: Bar;

  constructor(file: Blob, bar: Bar) {
    super([file]);
    this.#bar = bar;
  }

  override stream(): ReturnType<Blob['stream']> {
    const bar = this.#bar;
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        bar.add(piece.length);
        controller.enqueue(piece);
      },
    });
    return super.stream().pipeThrough(counter as never) as ReturnType<Blob['stream']>;
  }
}

export async function upload(
  sandbox: Sandbox,
  local: string,
  path: string,
  bar: Bar,
  signal: AbortSignal,
): Promise<void> {
  let file: Blob;
  let mode: number;
  try {
    mode = (await stat(local)).mode & 0o777;
    file = new CountedBlob(await openAsBlob(local), bar);
  } catch (cause) {
    throw new Failure(`cannot read '${local}': ${reasonOf(cause)}`, undefined, { cause });
  }
  await sandbox.files.write(path, file, { mode, signal });
}

/** A file is there whole or not at all: it gets its name when its last byte has arrived. */
export async function download(
  sandbox: Sandbox,
  file: FileInfo,
  local: string,
  bar: Bar,
  signal: AbortSignal,
): Promise<void> {
  const content = await sandbox.files.read(file.path, { format: 'stream', signal });
  const partial = join(dirname(local), `.${basename(local)}.${randomUUID()}`);
  const counted = async function* () {
    for await (const piece of content) {
      bar.add(piece.length);
      yield piece;
    }
  };
  try {
    await pipeline(Readable.from(counted()), createWriteStream(partial, { flags: 'wx', mode: 0o600 }), { signal });
    await chmod(partial, file.mode & 0o777);
    await rename(partial, local);
  } catch (cause) {
    await rm(partial, { force: true });
    signal.throwIfAborted();
    if ((cause as { syscall?: string }).syscall === undefined) throw cause;
    throw new Failure(`cannot write '${local}': ${reasonOf(cause)}`, undefined, { cause });
  }
}
