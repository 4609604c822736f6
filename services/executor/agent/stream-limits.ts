import { DrydockError } from '#libs/errors.ts';

/** Streams at one time to one agent, by what they carry. With room for others they stay below the 1,024 that an agent allows. */
export type StreamLimits = Readonly<Record<StreamKind, number>>;

export type StreamKind = 'processes' | 'inputs' | 'files' | 'watches' | 'tunnels';

/** Takes a place for a stream until disposed. Errors: TOO_MANY_STREAMS. */
export type TakePlace = (kind: StreamKind) => Disposable;

const RETRY_AFTER_MS = 1_000;

/** Counts the streams of one link by kind: an agent's connection is shared, and streams of one kind must leave room for others. */
export function countStreams(limits: StreamLimits): TakePlace {
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
