/**
 * Delays a caller's abort by `ms`, so that a write begun on its behalf can finish: the write may take effect anyway, and no one
 * would learn the id of its row.
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
