import { ApiException } from '@kubernetes/client-node';
import { DrydockError } from '#libs/errors.ts';
import { startFailed } from './pod-state.ts';

const RETRY_AFTER_MS = 2_000;

/** Translates the API server's refusal to create a pod for the caller that asked for a sandbox. */
export function refusalOf(template: string, cause: unknown): DrydockError {
  const message = messageOf(cause);
  const noRoom = (why: string) =>
    new DrydockError('NO_CAPACITY', `${why}: ${message}`, { cause, retryAfterMs: RETRY_AFTER_MS });
  if (/exceeded quota/.test(message)) return noRoom("the cluster's quota for sandboxes is used up");
  if (isTerminating(cause)) return noRoom('the namespace of the organisation is being removed');
  const runtimeClass = /RuntimeClass "([^"]+)" not found/.exec(message)?.[1];
  if (runtimeClass) return startFailed(template, `the cluster has no RuntimeClass ${runtimeClass}`, cause);
  const webhook = /admission webhook "([^"]+)"/.exec(message)?.[1];
  if (webhook) return startFailed(template, `admission webhook ${webhook} refuses its pods: ${message}`, cause);
  return startFailed(template, `the cluster refuses its pods: ${message}`, cause);
}

/** The message of a failed call to the API server; a missing right is named by its verb. */
export function messageOf(error: unknown): string {
  if (!(error instanceof ApiException)) return (error as Error).message;
  const message = statusMessageOf(error.body) || `HTTP ${error.code}`;
  const verb = /cannot (\w+) resource "([^"]+)"/.exec(message);
  return verb ? `the executor may not ${verb[1]} ${verb[2]}: grant it that verb (${message})` : message;
}

/** Whether the call was refused because the namespace is terminating. */
export function isTerminating(error: unknown): boolean {
  return /being terminated/.test(messageOf(error));
}

export function hasCode(error: unknown, ...codes: number[]): boolean {
  return error instanceof ApiException && codes.includes(error.code);
}

function statusMessageOf(body: unknown): string {
  if (typeof body !== 'string') return (body as { message?: string } | undefined)?.message ?? '';
  try {
    return (JSON.parse(body) as { message?: string }).message ?? '';
  } catch {
    return body.slice(0, 500);
  }
}
