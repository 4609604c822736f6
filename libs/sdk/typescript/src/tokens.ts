/** Of a token whose lifetime cannot be read. */
const DEFAULT_LIFETIME_MS = 5 * 60_000;
/** Of its lifetime, after which a token is exchanged anew. */
const FRESH = 0.8;

export type Tokens = {
  /** The credential to send. */
  get(): Promise<string>;
  /** The platform refused this one. Tells whether another one may be had. */
  refused(credential: string): boolean;
};

/**
 * Exchanges an API key for short-lived tokens, one at a time, each before the one before it ends. The lifetime is the token's own
 * and counted from its arrival: the clock of this machine may be wrong. A credential that is a token already is sent as it is.
 */
export function createTokens(apiKey: string, exchange: () => Promise<string>, now = () => performance.now()): Tokens {
  if (!apiKey.startsWith('dk_')) return { get: async () => apiKey, refused: () => false };
  let current: { token: string; untilMs: number } | undefined;
  let pending: Promise<string> | undefined;
  const renew = async () => {
    try {
      const token = await exchange();
      current = { token, untilMs: now() + FRESH * lifetimeOf(token) };
      return token;
    } finally {
      pending = undefined;
    }
  };
  return {
    async get() {
      if (current && now() < current.untilMs) return current.token;
      pending ??= renew();
      return pending;
    },
    refused(credential) {
      if (current?.token === credential) current = undefined;
      return true;
    },
  };
}

function lifetimeOf(token: string): number {
  try {
    const { iat, exp } = JSON.parse(atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')));
    const seconds = exp - iat;
    return seconds > 0 ? seconds * 1_000 : DEFAULT_LIFETIME_MS;
  } catch {
    return DEFAULT_LIFETIME_MS;
  }
}
