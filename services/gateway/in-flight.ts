import { DrydockError } from '#libs/errors.ts';

const RETRY_AFTER_MS = 1_000;

export type InFlightLimits = {
  /** Bytes of requests and answers that the process may hold. */
  process: number;
  /** Of these, for the calls of one organisation. */
  organization: number;
  /** Of these, for the calls of one connection. */
  connection: number;
};

/** The bytes that one call holds. Disposing gives back all of them. */
export type Holding = Disposable & {
  /** Takes bytes that have arrived. Errors: RATE_LIMITED, SERVICE_UNAVAILABLE, if they are too many. */
  take(bytes: number): void;
  /** Takes bytes of an answer, which is there already: what is beyond the limits keeps out the next request. */
  owe(bytes: number): void;
  give(bytes: number): void;
};

export type InFlight = {
  /** `connection` is the peer, `address:port`. */
  open(connection: string, organizationId: string): Holding;
};

/**
 * Counts the bytes of messages that are under way: a caller who sends more than the gateway can hold is refused, and holds no more
 * than a share of it, so that others always find room.
 */
export function createInFlight(limits: InFlightLimits): InFlight {
  const process = { held: 0 };
  const organizations = new Map<string, Share>();
  const connections = new Map<string, Share>();
  return {
    open(connection, organizationId) {
      const shares = [enter(connections, connection), enter(organizations, organizationId)] as const;
      const [ofConnection, ofOrganization] = shares;
      let held = 0;
      const add = (bytes: number) => {
        held += bytes;
        process.held += bytes;
        for (const share of shares) share.held += bytes;
      };
      return {
        take(bytes) {
          if (ofConnection.held + bytes > limits.connection) throw tooMuch('connection', limits.connection);
          if (ofOrganization.held + bytes > limits.organization) throw tooMuch('organisation', limits.organization);
          if (process.held + bytes > limits.process)
            throw new DrydockError('SERVICE_UNAVAILABLE', 'the gateway holds as many requests as it can; try again', {
              retryAfterMs: RETRY_AFTER_MS,
            });
          add(bytes);
        },
        owe: add,
        give: (bytes) => add(-Math.min(bytes, held)),
        [Symbol.dispose]() {
          add(-held);
          leave(connections, connection);
          leave(organizations, organizationId);
        },
      };
    },
  };
}

type Share = { held: number; calls: number };

function enter(shares: Map<string, Share>, key: string): Share {
  const share = shares.get(key) ?? { held: 0, calls: 0 };
  share.calls += 1;
  shares.set(key, share);
  return share;
}

function leave(shares: Map<string, Share>, key: string): void {
  const share = shares.get(key)!;
  share.calls -= 1;
  if (share.calls === 0) shares.delete(key);
}

function tooMuch(whose: string, bytes: number): DrydockError {
  return new DrydockError(
    'RATE_LIMITED',
    `the ${whose} has more than ${bytes} bytes of requests under way; try again`,
    {
      retryAfterMs: RETRY_AFTER_MS,
    },
  );
}
