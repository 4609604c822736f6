import { createHash } from 'node:crypto';
import type { Signer } from '#libs/certificates/authority.ts';
import { RequestRefused, readRequest } from '#libs/certificates/request.ts';
import { DrydockError } from '#libs/errors.ts';
import { EXECUTOR_ID } from '#libs/executor-id.ts';
import { PEER_NAME_METADATA } from '#libs/grpc/interceptors.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { executorNamed, nameOfExecutor } from '#libs/grpc/tls.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type {
  CertificateRequest,
  CertificateServiceDefinition,
  JoinRequest,
  JoinServiceDefinition,
} from '#proto/drydock/internal/v1/auth.ts';
import { audit } from './audit.ts';
import { executorOf, NOBODY, useJoinToken } from './join-tokens.ts';
import { refused } from './refusals.ts';
import type { TokenReview } from './token-review.ts';

const MAX_CLOCK_ERROR_MS = 2 * 60_000;
/** How long before it was signed a certificate begins to be valid, for those whose clocks are late. */
const BACKDATED_MS = 5 * 60_000;

export type Dependencies = {
  db: Database;
  authority: Signer;
  /** How long certificates are valid. */
  lifetimeMs: number;
  /** Without it no ServiceAccount's token is taken. */
  reviewToken: TokenReview | undefined;
};

/** Signs for one executor, and does in the same transaction what its proof asks for. */
type Issue = { executorId: string; action: string; use: (tx: Queryable, keySha256: Buffer) => Promise<void> };

/** Gives executors their first certificates. Nothing of a request but its key is looked at before its proof is. */
export function createJoin(dependencies: Dependencies): Rpc<JoinServiceDefinition> {
  return {
    join: async ({ request, proof }) => ({
      certificate: await issue(dependencies, request, await proven(dependencies, proof)),
    }),
  };
}

/** Gives executors others in place of those as which they call. */
export function createCertificates(dependencies: Dependencies): Rpc<CertificateServiceDefinition> {
  return {
    async renew({ request }, call) {
      const executorId = callingExecutor(call);
      const certificate = await issue(dependencies, request, {
        executorId,
        action: 'RenewCertificate',
        use: async () => {},
      });
      return { certificate };
    },
  };
}

async function proven({ db, reviewToken }: Dependencies, proof: JoinRequest['proof']): Promise<Issue> {
  const action = 'IssueCertificate';
  if (proof?.$case === 'joinToken') {
    const token = proof.value;
    const use: Issue['use'] = (tx, keySha256) => useJoinToken(tx, token, keySha256);
    return { executorId: await executorOf(db, token), action, use };
  }
  if (proof?.$case === 'serviceAccountToken') {
    if (!reviewToken)
      throw refused(
        'SERVICE_ACCOUNT_REFUSED',
        'no ServiceAccount is taken here: AUTH_EXECUTOR_SERVICE_ACCOUNT names none',
      );
    const executorId = await reviewToken(proof.value);
    // As of a Deployment's pod, whose name is too long.
    if (!EXECUTOR_ID.test(executorId))
      throw refused('SERVICE_ACCOUNT_REFUSED', 'the name of the pod cannot be the id of an executor');
    return { executorId, action, use: async () => {} };
  }
  throw refused('PROOF_MISSING', 'the request has no proof: a join token, or a token of a ServiceAccount');
}

function callingExecutor({ metadata }: Call): string {
  const executorId = executorNamed(String(metadata.get(PEER_NAME_METADATA) ?? ''));
  if (!executorId) throw new DrydockError('CALLER_FORBIDDEN', "the caller's certificate names no executor");
  return executorId;
}

async function issue(
  { db, authority, lifetimeMs }: Dependencies,
  request: CertificateRequest | undefined,
  { executorId, action, use }: Issue,
): Promise<string> {
  const now = Date.now();
  checkClock(request?.now?.getTime(), now);
  const name = nameOfExecutor(executorId);
  const key = await readRequest(request?.pkcs10 ?? Buffer.alloc(0), 'executor', name).catch((error) => {
    throw error instanceof RequestRefused ? badRequest(error) : error;
  });
  if (authority.notAfter.getTime() <= now)
    throw new DrydockError('INTERNAL', "the authority's certificate has expired; make another authority");
  const validity = {
    notBefore: new Date(now - Math.min(BACKDATED_MS, lifetimeMs / 10)),
    notAfter: new Date(now + lifetimeMs),
  };
  await db.transaction(async (tx) => {
    await use(tx, createHash('sha256').update(Buffer.from(key.rawData)).digest());
    await audit(tx, NOBODY, action, executorId);
  });
  return authority.sign(key, { subject: 'CN=executor', dns: [name] }, validity);
}

function checkClock(theirs: number | undefined, now: number): void {
  if (theirs !== undefined && Math.abs(theirs - now) <= MAX_CLOCK_ERROR_MS) return;
  const off = theirs === undefined ? 'is not told' : `is ${Math.round((theirs - now) / 1000)} s off`;
  throw refused('CLOCK_WRONG', `the executor's clock ${off}; set the clocks of both machines`);
}

function badRequest({ problem, message }: RequestRefused): DrydockError {
  const field = 'request.pkcs10';
  return new DrydockError('INVALID_FIELD', `${field}: ${message}`, {
    fields: [{ field, description: message }],
    metadata: { problem },
  });
}
