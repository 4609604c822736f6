import type { Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { isId } from '#libs/ids.ts';
import { readPage, toPage } from '#libs/pages.ts';
import type { Database } from '#libs/postgres/database.ts';
import type { TestSetServiceDefinition } from '#proto/drydock/v1/test_set.ts';
import { beginUpload, ownerOf } from '../blobs/client-api.ts';
import { createStreams } from '../blobs/streams.ts';
import { noTestSet } from '../executions/test-sets.ts';
import { importTestSet } from './import.ts';
import { type Dependencies as RegistrationDependencies, registerTestSet } from './registration.ts';
import { SUMMARY, type TestSetRow, toTestSet } from './rows.ts';

export type Dependencies = RegistrationDependencies & { db: Database };

/** An import holds pages of its zip, and pieces of four uploads. */
const IMPORTS = { organization: 2, process: 4 };

/** Test sets as clients see them. */
export function createTestSetApi(dependencies: Dependencies): Rpc<TestSetServiceDefinition> {
  const { db } = dependencies;
  const imports = createStreams('imports', IMPORTS);
  return {
    async createTestSet(request, call) {
      return { testSet: await registerTestSet(dependencies, ownerOf(callerOf(call)), request) };
    },

    async importTestSet(requests, call) {
      const owner = ownerOf(callerOf(call));
      const { first, data } = await beginUpload(requests);
      using _import = imports.take(owner.organizationId);
      return await importTestSet(dependencies, owner, first, data);
    },

    async getTestSet({ testSetId }, call) {
      const { organizationId } = callerOf(call);
      const [row] = isId('tst', testSetId)
        ? await db.query<TestSetRow>(
            `select ${SUMMARY}, content from test_sets where id = $1 and organization_id = $2 and delete_time is null`,
            [testSetId, organizationId],
          )
        : [];
      if (!row) throw noTestSet();
      return { testSet: toTestSet(row) };
    },

    async listTestSets(request, call) {
      const { organizationId } = callerOf(call);
      const { limit, after } = readPage(request);
      const { name } = request;
      const rows = await db.query<TestSetRow>(
        `select ${SUMMARY} from test_sets
         where organization_id = $1 and delete_time is null and ($2::text is null or id < $2) ${name ? 'and name = $4' : ''}
         order by id desc limit $3`,
        [organizationId, after ?? null, limit + 1, ...(name ? [name] : [])],
      );
      const { page, nextPageToken } = toPage(rows, limit, ({ id }) => id);
      return { testSets: page.map(toTestSet), nextPageToken };
    },

    async deleteTestSet({ testSetId }, call) {
      const { organizationId } = callerOf(call);
      const deleted = isId('tst', testSetId)
        ? await db.query(
            `update test_sets set delete_time = now(), request_id = null
             where id = $1 and organization_id = $2 and delete_time is null returning id`,
            [testSetId, organizationId],
          )
        : [];
      if (deleted.length === 0) throw noTestSet();
      return {};
    },
  };
}
