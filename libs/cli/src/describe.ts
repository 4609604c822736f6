import type { DrydockError } from '../../sdk/typescript/src/index.ts';
import { EXIT } from './exit-codes.ts';
import { Failure, Interrupted, OutputClosed, UsageError } from './failures.ts';
import { printable } from './printable.ts';

/** What to do about an error, by its class in the SDK. */
const HINTS: Readonly<Record<string, string>> = {
  UnauthenticatedError: `Log in by 'drydock login', or set DRYDOCK_API_KEY.`,
  PermissionDeniedError: `The key lacks a scope: 'drydock keys list' shows which it has.`,
  ConnectionLostError: `'drydock doctor' says what is wrong with the connection.`,
  UnavailableError: `Try again; 'drydock doctor' says what is wrong with the connection.`,
  NoCapacityError: 'The platform is full. Try again later.',
};
const REASON_HINTS: Readonly<Record<string, string>> = {
  SANDBOX_NOT_FOUND: `'drydock sandbox list' shows those that there are.`,
  SANDBOX_NOT_RUNNING: `'drydock sandbox create' makes another.`,
  SANDBOX_STOPPED: `'drydock sandbox create' makes another.`,
  TEMPLATE_NOT_FOUND: `'drydock templates list' shows those that there are.`,
  LANGUAGE_NOT_FOUND: `'drydock languages list' shows those that there are.`,
  EXECUTION_NOT_FOUND: `'drydock queue list' shows those that there are.`,
  QUEUE_FULL: 'Wait until some of the queue have ended.',
  FILE_NOT_FOUND: `'drydock exec ID -- ls -la' shows what is there.`,
};

/** How the process ends after an error: what it says on standard error, if anything, and its exit code. */
export function describe(error: unknown): { lines: string[]; exitCode: number } {
  if (error instanceof OutputClosed) return { lines: [], exitCode: 128 + 13 };
  if (error instanceof Interrupted)
    return { lines: [], exitCode: 128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[error.signal as 'SIGINT'] };
  if (error instanceof UsageError) return { lines: [`drydock: ${printable(error.message)}`], exitCode: EXIT.usage };
  const lines = [`drydock: ${printable((error as Error)?.message ?? String(error))}`];
  const hint = error instanceof Failure ? error.hint : undefined;
  if (hint) lines.push(hint);
  if (!isOfSdk(error)) return { lines, exitCode: EXIT.failed };
  for (const { field, description } of error.fieldViolations)
    if (!error.message.includes(description)) lines.push(printable(`  ${field}: ${description}`));
  if (error.retryAfterMs) lines.push(`Try again in ${Math.ceil(error.retryAfterMs / 1_000)} s.`);
  const known = REASON_HINTS[error.reason] ?? HINTS[error.name];
  if (known) lines.push(known);
  if (error.requestId) lines.push(printable(`request ${error.requestId}`));
  return { lines, exitCode: error.reason === 'COMMAND_NOT_FOUND' ? EXIT.noCommand : EXIT.failed };
}

/** By its fields: to load the SDK for its class takes longer than most commands. */
function isOfSdk(error: unknown): error is DrydockError {
  return error instanceof Error && 'reason' in error && 'fieldViolations' in error;
}
