import { DrydockError } from '#libs/errors.ts';
import { malformed } from './json-message.ts';

const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The time that a `grpc-timeout` header allows, such as `500m` or `10S`; without one, any. When it is over, `signal` is
 * aborted with the error to answer. Errors: MALFORMED_REQUEST, DEADLINE_TOO_SHORT where there is none left.
 */
export function startDeadline(header: string | string[] | undefined): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  if (header === undefined) return { signal: controller.signal, [Symbol.dispose]() {} };
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  if (!digits || !unit) throw malformed('grpc-timeout', 'must be up to 8 digits and one of H, M, S, m, u, n');
  const ms = Math.floor(Number(digits) * UNIT_MS[unit]!);
  if (ms < 1) throw tooShort();
  const timer = setTimeout(() => controller.abort(tooShort()), Math.min(ms, MAX_TIMER_MS));
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}

const tooShort = () => new DrydockError('DEADLINE_TOO_SHORT', 'the deadline passed before the call was done');
