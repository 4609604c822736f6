import type { Catalog } from '#libs/catalog/catalog.ts';
import type { RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import type { Dependencies as BlobDependencies } from '../blobs/contents.ts';
import { resolveBlobs } from './blobs.ts';
import type { TestSets } from './test-sets.ts';
import { type CheckedExecution, checkExecution } from './validation.ts';

export type Dependencies = { catalog: Catalog; blobs: BlobDependencies; testSets: TestSets };

/** Finds what a request names, and checks it. Errors: as `checkExecution`, TEST_SET_NOT_FOUND, BLOB_NOT_FOUND. */
export async function prepareExecution(
  { catalog, blobs, testSets }: Dependencies,
  request: RunCodeRequest,
  organizationId: string,
): Promise<CheckedExecution> {
  const testSet = request.testSet ? await testSets.find(organizationId, request.testSet) : undefined;
  const complete = await resolveBlobs(blobs, organizationId, request, catalog);
  return checkExecution(complete, catalog, testSet);
}
