import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BUILD, type Progress, ROOT } from '../host/root.ts';

const SOURCE = join(ROOT, 'libs/sdk/go');
/** What makes the module, and is no part of it. */
const NOT_PACKED = new Set(['buf.gen.yaml', 'tools']);

/** Leaves the Go module in `.build/sdk/go`, for a `replace` to name, and answers with that directory. */
export async function packGo(tell: Progress): Promise<string> {
  const directory = join(BUILD, 'sdk/go');
  await rm(directory, { recursive: true, force: true });
  const packed = (file: string) => !NOT_PACKED.has(file.slice(SOURCE.length + 1));
  await cp(SOURCE, directory, { recursive: true, filter: packed });
  await cp(join(ROOT, 'LICENSE'), join(directory, 'LICENSE'));
  tell('the Go module is in .build/sdk/go');
  return directory;
}
