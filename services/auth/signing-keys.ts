import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { newId } from '#libs/ids.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';

const ALGORITHM = 'EdDSA';
const TOKEN_SECONDS = 15 * 60;
// Verifiers keep the key set for less, so that they know a key before it signs.
const RIPE_SECONDS = 10 * 60;

/** `iss` of every token. */
export const ISSUER = 'drydock';

export type SigningKeys = {
  /** A token that says whose it is for 15 minutes, or until its key expires. */
  sign(caller: Caller, keyExpireTime: Date | undefined): Promise<{ token: string; expireTime: Date }>;
  /** The public keys, as a JSON Web Key Set. */
  keySet(): Promise<string>;
};

type Row = { id: string; private_jwk: JWK; public_jwk: JWK };

/** The keys of the database; the first replica to start makes the first one. */
export async function openSigningKeys(db: Database): Promise<SigningKeys> {
  await makeFirst(db);
  const signer = async (): Promise<Row> => {
    const [key] = await db.query<Row>(
      `with ripe as (
         select * from signing_keys where create_time <= now() - $1::float8 * interval '1 s' order by create_time desc limit 1
       ), first as (
         select * from signing_keys where not exists (select from ripe) order by create_time limit 1
       )
       select * from ripe union all select * from first`,
      [RIPE_SECONDS],
    );
    return key!;
  };
  return {
    async sign({ organizationId, apiKeyId, scopes, quota }, keyExpireTime) {
      const { id, private_jwk } = await signer();
      const issued = Math.floor(Date.now() / 1000);
      const keyExpires = keyExpireTime ? Math.floor(keyExpireTime.getTime() / 1000) : Number.POSITIVE_INFINITY;
      const expires = Math.min(issued + TOKEN_SECONDS, keyExpires);
      const token = await new SignJWT({ key: apiKeyId, scopes, quota })
        .setProtectedHeader({ alg: ALGORITHM, kid: id })
        .setIssuer(ISSUER)
        .setSubject(organizationId)
        .setIssuedAt(issued)
        .setExpirationTime(expires)
        .sign(await importJWK(private_jwk, ALGORITHM));
      return { token, expireTime: new Date(expires * 1000) };
    },
    async keySet() {
      const rows = await db.query<Row>('select * from signing_keys order by create_time desc');
      return JSON.stringify({
        keys: rows.map(({ id, public_jwk }) => ({ ...public_jwk, kid: id, alg: ALGORITHM, use: 'sig' })),
      });
    },
  };
}

/**
 * Makes a new key, which signs from ten minutes on. Those before it still verify, for longer than any token that they
 * signed lives; a later rotation removes them.
 */
export async function rotateSigningKeys(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    await lock(tx);
    await insertKey(tx);
    await tx.query(
      `delete from signing_keys where id in (
         select id from (select id, lead(create_time) over (order by create_time) as replaced from signing_keys) as k
         where replaced < now() - $1::float8 * interval '1 s')`,
      [RIPE_SECONDS + 2 * TOKEN_SECONDS],
    );
  });
}

async function makeFirst(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    await lock(tx);
    if ((await tx.query('select 1 from signing_keys limit 1')).length === 0) await insertKey(tx);
  });
}

async function lock(tx: Queryable): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtext('drydock.signing-keys'))`);
}

async function insertKey(tx: Queryable): Promise<void> {
  const { privateKey, publicKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true });
  await tx.query('insert into signing_keys (id, private_jwk, public_jwk) values ($1, $2, $3)', [
    newId('key'),
    JSON.stringify(await exportJWK(privateKey)),
    JSON.stringify(await exportJWK(publicKey)),
  ]);
}
