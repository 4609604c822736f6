/**
 * Follows a caller's signal only so much later: for writing a record on the caller's behalf, which must not be given up
 * half done, since nobody would learn the id of what is written all the same.
 */
export function withGrace(caller: AbortSignal, ms: number): { signal: AbortSignal } & Disposable {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(() => late.abort(caller.reason), ms);
  };
  if (caller.aborted) onAbort();
  else caller.addEventListener('abort', onAbort, { once: true });
  return {
    signal: late.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      caller.removeEventListener('abort', onAbort);
    },
  };
}
