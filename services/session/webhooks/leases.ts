import { invalidField } from '#libs/errors.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { isId } from '#libs/ids.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { WebhookDeliveryServiceDefinition } from '#proto/drydock/internal/v1/webhook.ts';
import { type PrintEvent, readEvent } from './events.ts';
import { signedHeaders } from './secrets.ts';

const LEASE = '60 s';
const MAX_LEASES = 1000;
/** Concurrent deliveries of an organisation: a slow receiver delays its own organisation alone. */
const MAX_UNDER_WAY = 4;
const MAX_ERROR_LENGTH = 500;

// Between 5 s and, after the nth failure, 5 s × 4ⁿ, at most an hour: 20 s, 80 s, 320 s, 21 min, then an hour thrice.
const WAIT = `(5 + random() * (least(3600, 5 * power(4, 8 - attempts_left)) - 5)) * interval '1 s'`;

type Lease = { id: string; webhook_id: string; execution_id: string; attempts: number; url: string };

export type Dependencies = { db: Database; print: PrintEvent };

/** Deliveries as their senders see them. */
export function createWebhookLeases({ db, print }: Dependencies): Rpc<WebhookDeliveryServiceDefinition> {
  return {
    async *leaseWebhookDeliveries({ maxDeliveries }) {
      if (maxDeliveries < 1 || maxDeliveries > MAX_LEASES)
        throw invalidField('maxDeliveries', `must be from 1 to ${MAX_LEASES}`);
      for (const { id, webhook_id, execution_id, attempts, url } of await lease(db, maxDeliveries)) {
        const event = await readEvent(db, id, execution_id);
        if (!event) continue;
        const body = print(event);
        const headers = await signedHeaders(db, webhook_id, id, body);
        yield { deliveryId: id, attempt: attempts, url, headers, body };
      }
    },

    async finishWebhookDelivery({ deliveryId, attempt, statusCode, error }) {
      if (!isId('dlv', deliveryId)) return {};
      await db.query(
        `with outcome as (
           select case when $3::int between 200 and 299 then 'DELIVERED' when attempts_left > 0 then 'PENDING' else 'FAILED' end
             as state from webhook_deliveries where id = $1
         )
         update webhook_deliveries set state = outcome.state, status_code = $3, error = $4, lease_expire = null,
           last_attempt_time = now(), next_attempt_time = case when outcome.state = 'PENDING' then now() + ${WAIT} end
         from outcome where id = $1 and attempts = $2 and lease_expire is not null`,
        [deliveryId, attempt, statusCode, firstCharacters(error, MAX_ERROR_LENGTH)],
      );
      return {};
    },
  };
}

/** Under one lock for all replicas, so that counting an organisation's leases and taking more are one step. */
function lease(db: Database, max: number): Promise<Lease[]> {
  return db.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('drydock.webhooks.lease'))`);
    await endLost(tx);
    return tx.query<Lease>(
      // Organisation by organisation through the index: a million deliveries of one cost no more than one.
      `with recursive waiting (organization_id) as (
         (select organization_id from webhook_deliveries where state = 'PENDING' order by organization_id limit 1)
         union all
         select (
           select organization_id from webhook_deliveries
           where state = 'PENDING' and organization_id > waiting.organization_id order by organization_id limit 1
         ) from waiting where organization_id is not null
       ), busy as (
         select organization_id, count(*) as leases from webhook_deliveries where lease_expire > now() group by organization_id
       ), due as (
         select delivery.id, next_attempt_time, url,
           coalesce(leases, 0) + row_number() over (partition by organization_id order by next_attempt_time) as place
         from waiting left join busy using (organization_id), lateral (
           select each.id, next_attempt_time, url from webhook_deliveries each join webhooks on webhooks.id = webhook_id
           where each.organization_id = waiting.organization_id and state = 'PENDING' and next_attempt_time <= now()
             and (lease_expire is null or lease_expire <= now()) and delete_time is null
           order by next_attempt_time limit greatest(0, ${MAX_UNDER_WAY} - coalesce(leases, 0)) for update of each skip locked
         ) as delivery
         order by place, next_attempt_time limit $1
       )
       update webhook_deliveries delivery
       set attempts = attempts + 1, attempts_left = attempts_left - 1, lease_expire = now() + interval '${LEASE}'
       from due where delivery.id = due.id
       returning delivery.id, webhook_id, execution_id, attempts, url`,
      [max],
    );
  });
}

/** Fails deliveries whose last attempt's lease has expired: their sender was lost. */
async function endLost(tx: Queryable): Promise<void> {
  await tx.query(
    `update webhook_deliveries set state = 'FAILED', lease_expire = null, last_attempt_time = now(),
       next_attempt_time = null, status_code = 0, error = 'the last attempt was lost; it may have arrived'
     where lease_expire <= now() and attempts_left = 0`,
  );
}
