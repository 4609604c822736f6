import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';

/** The lanes of one execution among those of its organisation. Disposing gives its first one back. */
export type Share = Disposable & {
  /** Whether the organisation's share has room for one lane more. */
  mayGrow(): boolean;
  /** Takes one; disposing the result gives it back. */
  grow(): Disposable;
};

export type Shares = {
  /** An execution begins with a lane of its own, which its scheduler has counted. */
  enter(sandbox: Pick<SandboxSpec, 'organizationId' | 'tenancy'>): Share;
};

/** Counts the lanes of each organisation on this executor. */
export function createShares(): Shares {
  const lanes = new Map<string, number>();
  const take = (organizationId: string): Disposable => {
    lanes.set(organizationId, (lanes.get(organizationId) ?? 0) + 1);
    return {
      [Symbol.dispose]() {
        const left = lanes.get(organizationId)! - 1;
        if (left > 0) lanes.set(organizationId, left);
        else lanes.delete(organizationId);
      },
    };
  };
  return {
    enter({ organizationId, tenancy }) {
      const first = take(organizationId);
      return {
        mayGrow: () => (lanes.get(organizationId) ?? 0) < (tenancy?.executions ?? 0),
        grow: () => take(organizationId),
        [Symbol.dispose]: () => first[Symbol.dispose](),
      };
    },
  };
}
