import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { ApiKeyHolder, CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';

const MAX_ASKED = 250;
const MAX_QUESTIONS = 4;
const MAX_WAITING = 20_000;
const DEADLINE_MS = 5_000;
const RETRY_MS = 1_000;

/** Who holds an API key, by its secret's SHA-256. Errors: SERVICE_UNAVAILABLE. */
export type LookUpApiKey = (sha256: Buffer) => Promise<ApiKeyHolder>;

type Waiting = { sha256: Buffer; since: number } & PromiseWithResolvers<ApiKeyHolder>;

/**
 * Asks auth about API keys: at most 4 questions at a time, each about all that wait, up to 250. So a flood of wrong keys
 * costs auth a few short queries, however long it is, and none has to be refused for the sake of the rest: a right one among
 * them waits for its question and the one before. Refused is only what auth does not answer within 5 s.
 */
export function createApiKeyLookups(
  credentials: Pick<Client<CredentialServiceDefinition>, 'authenticateApiKeys'>,
  now: () => number = Date.now,
): LookUpApiKey {
  const line: Waiting[] = [];
  let questions = 0;

  const askAbout = async (asked: Waiting[]) => {
    try {
      const request = { secretSha256s: asked.map(({ sha256 }) => sha256) };
      const { holders } = await credentials.authenticateApiKeys(request, { deadlineMs: DEADLINE_MS });
      if (holders.length !== asked.length) throw new DrydockError('INTERNAL', 'auth answered about other keys');
      for (const [index, { resolve }] of asked.entries()) resolve(holders[index]!);
    } catch (error) {
      // The deadline that passed is this question's own, not that of the callers.
      const refusal = hasReason(error, 'DEADLINE_TOO_SHORT', 'SERVICE_UNAVAILABLE') ? tooSlow(error) : error;
      for (const { reject } of asked) reject(refusal);
    }
    questions--;
    askNext();
  };
  const askNext = () => {
    while (line.length > 0 && now() - line[0]!.since > DEADLINE_MS) line.shift()!.reject(tooSlow());
    if (line.length === 0 || questions === MAX_QUESTIONS) return;
    questions++;
    void askAbout(line.splice(0, MAX_ASKED));
  };

  return (sha256) => {
    if (line.length === MAX_WAITING) return Promise.reject(tooSlow());
    const waiting = { sha256, since: now(), ...Promise.withResolvers<ApiKeyHolder>() };
    line.push(waiting);
    askNext();
    return waiting.promise;
  };
}

const tooSlow = (cause?: unknown) =>
  new DrydockError('SERVICE_UNAVAILABLE', 'API keys cannot be checked at the moment; try again', {
    retryAfterMs: RETRY_MS,
    cause,
  });
