import type pg from 'pg';

/** Sandboxes of each executor. */
const SANDBOXES_EACH = 100;
/** Of an id, behind its prefix. */
const DIGITS = 25;

export type Filled = { executionIds: string[]; sandboxId: string };

/**
 * Gives a tenant more rows like its only execution and its only sandbox, as long as `count` in all of each: executions that
 * are queued, and sandboxes that run.
 */
export async function fillRecords(client: pg.Client, organizationId: string, count: number): Promise<Filled> {
  const copies = [organizationId, count - 1];
  const copied = async (table: string, changes: string) => {
    const { rows } = await client.query<{ name: string }>(
      `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
      [`session.${table}`],
    );
    const columns = rows.map(({ name }) => name);
    // The names are the catalogue's own.
    await client.query(
      `insert into session.${table} (${columns.join()})
       select (jsonb_populate_record(model, ${changes})).* from session.${table} model, generate_series(1, $2::int) n
       where organization_id = $1`,
      copies,
    );
  };
  const idOf = (prefix: string) => `'${prefix}_0' || lpad(n::text, ${DIGITS}, '0')`;
  await copied('executions', `jsonb_build_object('id', ${idOf('exe')})`);
  await client.query(
    `update session.sandboxes set state = 'RUNNING', stop_time = null, stop_reason = 'STOP_REASON_UNSPECIFIED',
       executor_id = 'exe_0', expire_time = now() + interval '10 hours' where organization_id = $1`,
    [organizationId],
  );
  await copied('sandboxes', `jsonb_build_object('id', ${idOf('sbx')}, 'executor_id', 'exe_' || n / ${SANDBOXES_EACH})`);
  // As it would have been done long before there were so many.
  await client.query('vacuum analyze session.executions, session.sandboxes');
  const { rows } = await client.query<{ id: string }>(
    `select id from session.executions where organization_id = $1 and state = 'QUEUED' order by id desc limit 1000`,
    [organizationId],
  );
  const [sandbox] = (
    await client.query<{ id: string }>(
      `select id from session.sandboxes where organization_id = $1 order by id desc limit 1`,
      [organizationId],
    )
  ).rows;
  return { executionIds: rows.map(({ id }) => id), sandboxId: sandbox!.id };
}

/** How often each table of session was read from its beginning. */
export async function sequentialScans(client: pg.Client): Promise<Map<string, number>> {
  // Backends report what they did within a second.
  await client.query('select pg_sleep(1.2), pg_stat_clear_snapshot()');
  const { rows } = await client.query<{ name: string; scans: string }>(
    `select relname as name, seq_scan as scans from pg_stat_user_tables where schemaname = 'session'`,
  );
  return new Map(rows.map(({ name, scans }) => [name, Number(scans)]));
}
