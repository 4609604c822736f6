import { AuthenticationV1Api, KubeConfig } from '@kubernetes/client-node';
import { DrydockError } from '#libs/errors.ts';
import { refused } from './refusals.ts';

/** Of the tokens that executors show: one that leaks from elsewhere is of no use here, and theirs nowhere else. */
export const AUDIENCE = 'drydock-auth';

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const RETRY_AFTER_MS = 1_000;

/** Answers with the pod that a ServiceAccount's token was made for. */
export type TokenReview = (token: string) => Promise<string>;

/**
 * Asks the cluster of `kubeconfig`, by default the one that this runs in, about tokens of one ServiceAccount, `namespace/name`.
 * Errors: CREDENTIAL_INVALID for a token of another one, for another audience, or of no pod; SERVICE_UNAVAILABLE.
 */
export function reviewTokens(serviceAccount: string, kubeconfig?: string): TokenReview {
  const config = new KubeConfig();
  if (kubeconfig) config.loadFromFile(kubeconfig);
  else config.loadFromCluster();
  const api = config.makeApiClient(AuthenticationV1Api);
  const username = `system:serviceaccount:${serviceAccount.replace('/', ':')}`;
  return async (token) => {
    const body = { spec: { token, audiences: [AUDIENCE] } };
    const { status } = await api.createTokenReview({ body }).catch((cause) => {
      const message = "the cluster cannot be asked about the token; look at auth's rights to create tokenreviews";
      throw new DrydockError('SERVICE_UNAVAILABLE', message, { cause, retryAfterMs: RETRY_AFTER_MS });
    });
    if (!status?.authenticated || !status.audiences?.includes(AUDIENCE))
      throw refusedAccount(`the cluster does not take the token for the audience ${AUDIENCE}`);
    if (status.user?.username !== username)
      throw refusedAccount(`the token is not of the ServiceAccount ${serviceAccount}`);
    const [pod] = status.user.extra?.[POD_NAME] ?? [];
    if (!pod) throw refusedAccount('the token is not bound to a pod');
    return pod;
  };
}

const refusedAccount = (message: string) => refused('SERVICE_ACCOUNT_REFUSED', message);
