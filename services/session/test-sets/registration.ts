import { createHash } from 'node:crypto';
import type { Catalog } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import type { Queryable } from '#libs/postgres/database.ts';
import type { Blob } from '#proto/drydock/v1/blob.ts';
import { type Checker, type Interactor, TestCase } from '#proto/drydock/v1/execution.ts';
import { CreateTestSetRequest, TestSet } from '#proto/drydock/v1/test_set.ts';
import { putBlob, requireBlobs } from '../blobs/blobs.ts';
import type { Dependencies as BlobDependencies, Owner } from '../blobs/contents.ts';
import { checkBlobs, withSources } from '../executions/blobs.ts';
import { blobsOfCases, blobsOfJudges } from '../executions/inputs.ts';
import { checkSameRequest } from '../requests/admission.ts';
import { type TestSetRow, toTestSet } from './rows.ts';
import { checkTestSet } from './validation.ts';

const MAX_TEST_SETS = 10_000;
const PUTS_AT_ONCE = 4;

export type Dependencies = { catalog: Catalog; blobs: BlobDependencies };

/** Registers a test set. Errors: as CreateTestSet. */
export async function registerTestSet(
  dependencies: Dependencies,
  owner: Owner,
  request: CreateTestSetRequest,
): Promise<TestSet> {
  const { catalog, blobs } = dependencies;
  const sha256 = hashOf(request);
  const complete = await withJudgeSources(dependencies, owner, request);
  checkTestSet(complete, catalog);
  const named = [...blobsOfCases('cases', request.cases), ...blobsOfJudges(request)];
  const found = await checkBlobs(blobs, owner.organizationId, named);
  const { cases, sizeBytes } = await withBlobs(blobs, owner, complete.cases, found);
  const testSet = TestSet.create({ ...complete, id: newId('tst'), cases, sizeBytes, caseCount: cases.length });
  return blobs.db.transaction((tx) => insert(tx, owner.organizationId, testSet, request.requestId, sha256));
}

/** With the sources of checker and interactor in the test set itself, where they are read for each execution. */
async function withJudgeSources(
  { catalog, blobs }: Dependencies,
  { organizationId }: Owner,
  request: CreateTestSetRequest,
): Promise<CreateTestSetRequest> {
  const named = blobsOfJudges(request);
  if (named.length === 0) return request;
  const found = await checkBlobs(blobs, organizationId, named);
  const withBytes = async <Judge extends Checker | Interactor>(judge: Judge | undefined) =>
    judge && { ...judge, files: await withSources(blobs, organizationId, judge, catalog, found) };
  return { ...request, checker: await withBytes(request.checker), interactor: await withBytes(request.interactor) };
}

/** Cases whose text and bytes are blobs. */
async function withBlobs(blobs: BlobDependencies, owner: Owner, cases: TestCase[], found: ReadonlyMap<string, Blob>) {
  const kept: TestCase[] = [];
  let sizeBytes = 0;
  const keep = async (data: Uint8Array | string | undefined, blob: string) => {
    if (blob) sizeBytes += found.get(blob)!.sizeBytes;
    if (data === undefined || blob) return blob;
    const bytes = Buffer.from(data as string);
    sizeBytes += bytes.length;
    return (await putBlob(blobs, owner, once(bytes))).sha256;
  };
  const queue = cases.entries();
  const worker = async () => {
    for (const [index, { name, limits, group, points, stdin, stdinBytes, stdinBlob, ...expected }] of queue) {
      const given = stdinBytes.length > 0 ? stdinBytes : stdin || undefined;
      kept[index] = TestCase.create({
        name,
        limits,
        group,
        points,
        stdinBlob: await keep(given, stdinBlob),
        expectedOutputBlob: await keep(expected.expectedOutput, expected.expectedOutputBlob),
      });
    }
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, worker));
  return { cases: kept, sizeBytes };
}

async function* once(data: Buffer): AsyncIterable<Buffer> {
  yield data;
}

/** Under the organisation's lock, so that counting and inserting are one step. Errors: REQUEST_ID_REUSED, QUOTA_EXCEEDED. */
async function insert(
  tx: Queryable,
  organizationId: string,
  testSet: TestSet,
  requestId: string,
  sha256: Buffer,
): Promise<TestSet> {
  await tx.query('insert into tenants (organization_id) values ($1) on conflict do nothing', [organizationId]);
  await tx.query('select from tenants where organization_id = $1 for no key update', [organizationId]);
  const [earlier] = requestId
    ? await tx.query<TestSetRow & { request_sha256: Buffer }>(
        'select * from test_sets where organization_id = $1 and request_id = $2',
        [organizationId, requestId],
      )
    : [];
  if (earlier) {
    checkSameRequest(earlier, sha256);
    return toTestSet(earlier);
  }
  await checkQuota(tx, organizationId);
  const { id, name, version, caseCount, sizeBytes } = testSet;
  const [row] = await tx.query<TestSetRow>(
    `insert into test_sets
       (id, organization_id, request_id, request_sha256, name, version, case_count, size_bytes, content)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *`,
    [
      id,
      organizationId,
      requestId || null,
      sha256,
      name,
      version,
      caseCount,
      sizeBytes,
      Buffer.from(TestSet.encode(testSet).finish()),
    ],
  );
  await insertBlobs(tx, organizationId, testSet);
  return toTestSet(row!);
}

async function checkQuota(tx: Queryable, organizationId: string): Promise<void> {
  const [row] = await tx.query<{ live: number }>(
    'select count(*) as live from test_sets where organization_id = $1 and delete_time is null',
    [organizationId],
  );
  if (row!.live < MAX_TEST_SETS) return;
  throw new DrydockError('QUOTA_EXCEEDED', `the organisation may have ${MAX_TEST_SETS} test sets; delete some`, {
    quota: [{ subject: `organizations/${organizationId}/testSets`, description: `${MAX_TEST_SETS} in use` }],
  });
}

/** Keeps the blobs from expiring. Errors: BLOB_NOT_FOUND if one has just expired. */
async function insertBlobs(tx: Queryable, organizationId: string, testSet: TestSet): Promise<void> {
  const { id, cases } = testSet;
  const named = [...blobsOfCases('cases', cases), ...blobsOfJudges(testSet)];
  const hashes = [...new Set(named.map(({ sha256 }) => sha256))];
  // The reference locks each against the sweep.
  await requireBlobs(tx, organizationId, hashes);
  await tx.query(
    `insert into test_set_blobs (organization_id, sha256, test_set_id) select $1, sha256, $3 from unnest($2::bytea[]) as sha256`,
    [organizationId, hashes.map((hash) => Buffer.from(hash, 'hex')), id],
  );
}

/** Hash of a request's content. Multipliers are sorted, so that a retry with the same content has the same hash. */
function hashOf(request: CreateTestSetRequest): Buffer {
  const sorted = Object.entries(request.timeMultipliers).sort(([a], [b]) => (a < b ? -1 : 1));
  const ordered = { ...request, timeMultipliers: Object.fromEntries(sorted) };
  return createHash('sha256').update(CreateTestSetRequest.encode(ordered).finish()).digest();
}
