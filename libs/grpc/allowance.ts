export type Allowance = {
  /** Takes one; false if there is none. */
  take(): boolean;
};

/** A number of things that a peer may do: `burst` at once, and `perSecond` in the long run. */
export function createAllowance({ burst, perSecond }: { burst: number; perSecond: number }): Allowance {
  let left = burst;
  let at = performance.now();
  return {
    take() {
      const now = performance.now();
      left = Math.min(burst, left + ((now - at) / 1_000) * perSecond);
      at = now;
      if (left < 1) return false;
      left -= 1;
      return true;
    },
  };
}
