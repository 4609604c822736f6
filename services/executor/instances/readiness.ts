import { DrydockError, hasReason } from '#libs/errors.ts';
import type { AgentLink } from '../agent/link.ts';

const READY_DEADLINE_MS = 20_000;
// A policy may come into force a moment after the sandbox does; a connection that nothing forbids takes far less than a probe.
const ISOLATED_MS = 10_000;
const PROBE_MS = 300;

/** Waits until the agent answers. Errors: SANDBOX_START_FAILED after 20 s. */
export async function untilReady(link: AgentLink, template: string, signal?: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([AbortSignal.timeout(READY_DEADLINE_MS), ...(signal ? [signal] : [])]);
  const late = new Promise<never>((_, reject) =>
    limit.addEventListener('abort', () => reject(notReady(template)), { once: true }),
  );
  await Promise.race([link.connected, late]);
  await link.control.ping({}, { signal: limit });
}

/**
 * Waits until the agent reaches none of the addresses. No program has run there yet, so the agent can be believed. Errors:
 * SANDBOX_START_FAILED if one of them still answers after 10 s.
 */
export async function untilIsolated(
  link: AgentLink,
  template: string,
  addresses: string[],
  signal: AbortSignal,
): Promise<void> {
  const end = Date.now() + ISOLATED_MS;
  while (addresses.length > 0) {
    const request = { addresses, wallNanoseconds: PROBE_MS * 1e6 };
    const { reached } = await link.control.probeNetwork(request, { signal, deadlineMs: READY_DEADLINE_MS });
    if (reached.length === 0) return;
    if (Date.now() > end) throw notIsolated(template, reached);
  }
}

/**
 * Has the agent create the first cell, and answers whether it can. No program has run there yet, so the agent can be believed.
 */
export async function prepareCell(link: AgentLink, signal: AbortSignal): Promise<boolean> {
  try {
    await link.cells.prepare({}, { signal, deadlineMs: READY_DEADLINE_MS });
    return true;
  } catch (error) {
    if (hasReason(error, 'NOT_IMPLEMENTED')) return false;
    throw error;
  }
}

function notReady(template: string): DrydockError {
  return new DrydockError('SANDBOX_START_FAILED', `template ${template}: the sandbox did not become ready in time`);
}

function notIsolated(template: string, reached: string[]): DrydockError {
  const problem = `its sandbox reaches ${reached.join(', ')}`;
  return new DrydockError(
    'SANDBOX_START_FAILED',
    `template ${template}: network policies are not enforced: ${problem}`,
  );
}
