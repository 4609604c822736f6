import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

const POLL_MS = 20_000;
const POLL_INTERVAL_MS = 50;

/** vitest's own matchers, where vitest itself does not run. */
const once = (value: unknown) => chai.expect(value);

/** Tries a matcher until it holds. */
function poll(read: () => unknown, { timeout = POLL_MS }: { timeout?: number } = {}) {
  return new Proxy(
    {},
    {
      get:
        (_, matcher: string) =>
        async (...args: unknown[]) => {
          for (const end = performance.now() + timeout; ; ) {
            try {
              const assertion = once(await read()) as unknown as Record<string, (...args: unknown[]) => void>;
              return assertion[matcher]!(...args);
            } catch (error) {
              if (performance.now() > end) throw error;
              await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
            }
          }
        },
    },
  );
}

export const expect = Object.assign(once, chai.expect, { poll });
