import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { checked, number, object, text, yesOrNo } from '#libs/catalog/checks.ts';

/** The binding of an instance to a sandbox. Written before the instance is used, so that no restart gives it to another one. */
export type Claim = {
  sandboxId: string;
  organizationId: string;
  template: string;
  limits: SandboxLimits;
  /** Milliseconds since 1970. */
  expireTime: number;
  /** Session has recorded the sandbox as running. */
  confirmed: boolean;
};

const POSITIVE = number({ min: Number.MIN_VALUE, max: Number.MAX_SAFE_INTEGER });
const CLAIM = object({
  sandboxId: text,
  organizationId: text,
  template: text,
  limits: object({ memoryBytes: POSITIVE, processes: POSITIVE, diskBytes: POSITIVE, cpus: POSITIVE }),
  expireTime: number({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  confirmed: yesOrNo,
});

export const formatClaim = (claim: Claim): string => JSON.stringify(claim);

/** Parses the output of `formatClaim`. Throws if it is damaged, or has fields of a newer version. */
export function parseClaim(written: string): Claim {
  const { value, problems } = checked<Claim>(JSON.parse(written), CLAIM);
  if (problems.length > 0) throw new Error(problems.join('; '));
  return value;
}
