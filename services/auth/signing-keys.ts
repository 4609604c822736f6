import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import type { Database } from '#libs/database.ts';
import { newId } from '#libs/ids.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';

const ALGORITHM = 'EdDSA';
const TOKEN_MS = 15 * 60_000;

/** `iss` of every token. */
export const ISSUER = 'drydock';

export type SigningKeys = {
  /** A token that says whose it is for 15 minutes. */
  sign(caller: Caller): Promise<{ token: string; expireTime: Date }>;
  /** The public keys, as a JSON Web Key Set. */
  keySet(): Promise<string>;
};

type Row = { id: string; private_jwk: JWK; public_jwk: JWK };

/** The keys of the database; the first replica to start makes the first one. */
export async function openSigningKeys(db: Database): Promise<SigningKeys> {
  await makeFirst(db);
  const newest = async (): Promise<Row> =>
    (await db.query<Row>('select * from signing_keys order by create_time desc limit 1'))[0]!;
  return {
    async sign({ organizationId, apiKeyId, scopes, concurrentSandboxes }) {
      const { id, private_jwk } = await newest();
      const expireTime = new Date(Date.now() + TOKEN_MS);
      const token = await new SignJWT({ key: apiKeyId, scopes, quota: concurrentSandboxes })
        .setProtectedHeader({ alg: ALGORITHM, kid: id })
        .setIssuer(ISSUER)
        .setSubject(organizationId)
        .setIssuedAt()
        .setExpirationTime(expireTime)
        .sign(await importJWK(private_jwk, ALGORITHM));
      return { token, expireTime };
    },
    async keySet() {
      const rows = await db.query<Row>('select * from signing_keys order by create_time desc');
      return JSON.stringify({ keys: rows.map(({ id, public_jwk }) => ({ ...public_jwk, kid: id, alg: ALGORITHM, use: 'sig' })) });
    },
  };
}

async function makeFirst(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('drydock.signing-keys'))`);
    if ((await tx.query('select 1 from signing_keys limit 1')).length > 0) return;
    const { privateKey, publicKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true });
    await tx.query('insert into signing_keys (id, private_jwk, public_jwk) values ($1, $2, $3)', [
      newId('key'),
      JSON.stringify(await exportJWK(privateKey)),
      JSON.stringify(await exportJWK(publicKey)),
    ]);
  });
}
