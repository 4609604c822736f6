import { VERSION } from '../../../sdk/typescript/src/version.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';

export async function version(context: Context): Promise<number> {
  const versions = { drydock: VERSION, node: process.versions.node, system: `${process.platform} ${process.arch}` };
  await context.output.one(versions, [
    ['drydock', (each) => each.drydock],
    ['node', (each) => each.node],
    ['system', (each) => each.system],
  ]);
  return EXIT.ok;
}
