import { readFile } from 'node:fs/promises';
import { type Authority, openAuthority } from '#libs/certificates/authority.ts';
import type { TlsFiles } from '#libs/grpc/tls.ts';
import type { loadConfig } from './config.ts';
import type { TokenReview } from './token-review.ts';

/** Of a request to join: the largest request for a certificate and the largest token of a ServiceAccount fit. */
export const MAX_JOIN_BYTES = 32 * 1024;

/** What signs certificates of executors, and where they ask for the first one. */
export type Issuer = {
  authority: Pick<Authority, 'sign' | 'notAfter'>;
  joinAddress: string;
  lifetimeMs: number;
  reviewToken: TokenReview | undefined;
};

/** Undefined where executors have certificates of somebody else. Throws if the authority cannot be read. */
export async function openIssuer(
  config: ReturnType<typeof loadConfig>,
  tls: TlsFiles | undefined,
): Promise<Issuer | undefined> {
  const { joinAddress, authorityKeyFile, executorServiceAccount, kubeconfig, certificateMs: lifetimeMs } = config;
  if (!joinAddress || !authorityKeyFile || !tls) return undefined;
  const key = await readFile(authorityKeyFile, 'utf8');
  const authority = await openAuthority({ certificate: tls.ca.toString(), key });
  // Its library takes tens of MiB.
  const reviewToken =
    executorServiceAccount && (await import('./token-review.ts')).reviewTokens(executorServiceAccount, kubeconfig);
  return { authority, joinAddress, lifetimeMs, reviewToken: reviewToken || undefined };
}
