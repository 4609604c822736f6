import { checkFields } from '#libs/field-checks.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { readPage, toPage } from '#libs/pages.ts';
import type { Database } from '#libs/postgres/database.ts';
import type { SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import { findSandbox } from './records.ts';
import { type SandboxRow, toSandbox } from './row.ts';

const MAX_FILTERS = 32;

/** Sandboxes as clients see them. */
export function createSandboxes(db: Database): Pick<Rpc<SandboxServiceDefinition>, 'getSandbox' | 'listSandboxes'> {
  return {
    async getSandbox({ sandboxId }, call) {
      const { organizationId } = callerOf(call);
      return { sandbox: toSandbox(await findSandbox(db, organizationId, sandboxId)) };
    },

    async listSandboxes(request, call) {
      const { organizationId } = callerOf(call);
      const { limit, after } = readPage(request);
      const rows = await db.query<SandboxRow>(
        `select * from sandboxes
         where organization_id = $1 and ($2::text is null or id < $2)
           and (cardinality($3::text[]) = 0 or state = any($3)) and metadata @> all ($4::jsonb[])
         order by id desc limit $5`,
        [organizationId, after ?? null, request.states, readFilters(request.metadataFilters), limit + 1],
      );
      const { page, nextPageToken } = toPage(rows, limit, ({ id }) => id);
      return { sandboxes: page.map(toSandbox), nextPageToken };
    },
  };
}

/** Each filter as the JSON that a matching row's labels contain. */
function readFilters(filters: string[]): string[] {
  const check = checkFields();
  if (filters.length > MAX_FILTERS) check.violation('metadataFilters', `are more than ${MAX_FILTERS}`);
  for (const filter of filters) {
    check.string('metadataFilters', filter, {});
    if (filter.indexOf('=') < 1) check.violation('metadataFilters', 'must each be key=value');
  }
  check.done();
  return filters.map((filter) => {
    const split = filter.indexOf('=');
    return JSON.stringify({ [filter.slice(0, split)]: filter.slice(split + 1) });
  });
}
