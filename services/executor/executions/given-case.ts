import type { CaseSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Blobs } from './blobs/blobs.ts';
import type { Data } from './data.ts';

/** A case with the bytes of its blobs, which hold until it is disposed. */
export type GivenCase = CaseSpec & {
  input: Data;
  /** Undefined if any output will do. */
  expected: Data | undefined;
} & AsyncDisposable;

/** Errors: as `Blobs.open`. */
export async function openCase(
  blobs: Blobs,
  organizationId: string,
  spec: CaseSpec,
  signal: AbortSignal,
): Promise<GivenCase> {
  const { stdin, stdinBlob, expectedOutput, expectedOutputBlob } = spec;
  await using opened = new AsyncDisposableStack();
  const read = async (sha256: string) => opened.use(await blobs.open(organizationId, sha256, signal)).data;
  const input = stdinBlob ? await read(stdinBlob) : Buffer.from(stdin);
  const inline = expectedOutput === undefined ? undefined : Buffer.from(expectedOutput);
  const expected = expectedOutputBlob ? await read(expectedOutputBlob) : inline;
  const moved = opened.move();
  return { ...spec, input, expected, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}
