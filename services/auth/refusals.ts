import { DrydockError } from '#libs/errors.ts';

/** Why an executor is given no certificate, in words that stay. */
export type Problem =
  | 'PROOF_MISSING'
  | 'JOIN_TOKEN_UNKNOWN'
  | 'JOIN_TOKEN_EXPIRED'
  | 'JOIN_TOKEN_USED'
  | 'SERVICE_ACCOUNT_REFUSED'
  | 'CLOCK_WRONG';

/** CREDENTIAL_INVALID, with the problem in its metadata. */
export function refused(problem: Problem, message: string): DrydockError {
  return new DrydockError('CREDENTIAL_INVALID', message, { metadata: { problem } });
}
