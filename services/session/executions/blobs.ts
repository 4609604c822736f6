import { extname } from 'node:path';
import type { Catalog } from '#libs/catalog/catalog.ts';
import { invalidField } from '#libs/errors.ts';
import { checkFields } from '#libs/field-checks.ts';
import type { Blob } from '#proto/drydock/v1/blob.ts';
import type { RunCodeRequest, SourceFile } from '#proto/drydock/v1/execution.ts';
import { isSha256, MAX_BLOB_BYTES, readBlob, requireBlobs } from '../blobs/blobs.ts';
import type { Dependencies } from '../blobs/contents.ts';
import { MiB } from '../requests/checks.ts';
import { blobsOf, type NamedBlob } from './inputs.ts';

/** Of a program, and of what judges it, as their sources may have. */
const MAX_SOURCE_BYTES = 10 * MiB;

type Program = { language: string; files: SourceFile[] };

/** The blobs that are named, by hash. Errors: INVALID_FIELD for what is no hash or is too large; BLOB_NOT_FOUND. */
export async function checkBlobs(
  { db }: Dependencies,
  organizationId: string,
  named: readonly NamedBlob[],
): Promise<Map<string, Blob>> {
  const check = checkFields();
  for (const { field, sha256 } of named)
    if (!isSha256(sha256)) check.violation(field, 'must be a SHA-256 as 64 lower-case hexadecimal digits');
  check.done();
  const hashes = named.map(({ sha256 }) => sha256);
  const found = await requireBlobs(db, organizationId, hashes);
  for (const { field, sha256, maxBytes = MAX_BLOB_BYTES } of named)
    if (found.get(sha256)!.sizeBytes > maxBytes) check.violation(field, `is larger than ${maxBytes} bytes`);
  check.done();
  return found;
}

/** A request whose blobs are there, with the bytes of those that are sources. Errors: as `checkBlobs`. */
export async function resolveBlobs(
  blobs: Dependencies,
  organizationId: string,
  request: RunCodeRequest,
  catalog: Catalog,
): Promise<RunCodeRequest> {
  const named = blobsOf(request);
  if (named.length === 0) return request;
  const found = await checkBlobs(blobs, organizationId, named);
  const { checker, interactor } = request;
  const withBytes = async <Judge extends Program>(judge: Judge | undefined) =>
    judge && { ...judge, files: await withSources(blobs, organizationId, judge, catalog, found) };
  return {
    ...request,
    files: await withSources(blobs, organizationId, request, catalog, found),
    checker: await withBytes(checker),
    interactor: await withBytes(interactor),
  };
}

/** Files of a program with the bytes of the language's sources, which are read for entry points. The rest goes to the executor as blobs. */
export async function withSources(
  blobs: Dependencies,
  organizationId: string,
  { language, files }: Program,
  { languages }: Catalog,
  found: ReadonlyMap<string, Blob>,
): Promise<SourceFile[]> {
  const extensions = languages.get(language)?.extensions ?? [];
  const read: SourceFile[] = [];
  let sourceBytes = 0;
  let allBytes = 0;
  for (const { name, content } of files) {
    const sizeBytes = content?.$case === 'blob' ? found.get(content.value)!.sizeBytes : 0;
    allBytes += sizeBytes;
    if (allBytes > MAX_BLOB_BYTES) throw invalidField('files', `are larger than ${MAX_BLOB_BYTES} bytes`);
    if (content?.$case !== 'blob' || !extensions.includes(extname(name))) {
      read.push({ name, content });
      continue;
    }
    sourceBytes += sizeBytes;
    if (sourceBytes > MAX_SOURCE_BYTES) throw invalidField('files', 'are larger than 10 MiB');
    const value = Buffer.concat(await Array.fromAsync(readBlob(blobs, organizationId, content.value)));
    read.push({ name, content: { $case: 'data', value } });
  }
  return read;
}
