import { DrydockError } from '#libs/errors.ts';

/** Maximum of concurrent streams to one agent, by kind. Their sum stays below the 1,024 streams that an agent allows. */
export type StreamLimits = Readonly<Record<StreamKind, number>>;

export type StreamKind = 'processes' | 'inputs' | 'files' | 'watches' | 'tunnels';

/** Counts a stream until disposed. Errors: TOO_MANY_STREAMS. */
export type CountStream = (kind: StreamKind) => Disposable;

const RETRY_AFTER_MS = 1_000;

/** Limits the streams of one link by kind: they share its connection, and one kind must not use up the streams of the others. */
export function limitStreams(limits: StreamLimits): CountStream {
  const open: Record<StreamKind, number> = { processes: 0, inputs: 0, files: 0, watches: 0, tunnels: 0 };
  const leave = (kind: StreamKind) => {
    open[kind] -= 1;
  };
  return (kind) => {
    if (open[kind] >= limits[kind]) throw tooMany(kind, limits[kind]);
    open[kind] += 1;
    return { [Symbol.dispose]: () => leave(kind) };
  };
}

function tooMany(kind: StreamKind, limit: number): DrydockError {
  const message = `the sandbox has ${limit} ${WORDS[kind]} open; end one, then try again`;
  const options = { retryAfterMs: RETRY_AFTER_MS, metadata: { kind, limit: String(limit) } };
  return new DrydockError('TOO_MANY_STREAMS', message, options);
}

const WORDS: Readonly<Record<StreamKind, string>> = {
  processes: 'streams of processes',
  inputs: 'writes to standard inputs',
  files: 'calls for files',
  watches: 'watches',
  tunnels: 'tunnels',
};
