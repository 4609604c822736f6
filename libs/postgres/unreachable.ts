// Of the resolver and of the network between: the host was deleted, is not yet there, or lies behind a route that is not.
const NETWORK = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ENOENT', 'ETIMEDOUT'],
  ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENETRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL'],
]);
// Class 08: connection; 53: out of resources; 57: shut down, starting up or cancelled by the operator.
const SERVER = /^(08|53|57)/;
// pg throws these without a code.
const WITHOUT_CODE = /timeout|connection (terminated|error)/i;

/** Whether a statement failed since the database was away, so that the same one may succeed later. */
export function isUnreachable(error: unknown): boolean {
  // Of a name with several addresses Node reports each, and no code of its own.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isUnreachable);
  const { code = '' } = error as { code?: string };
  return NETWORK.has(code) || SERVER.test(code) || (error instanceof Error && WITHOUT_CODE.test(error.message));
}
