import { clients } from '../scenarios/clients.ts';
import { commands } from '../scenarios/commands.ts';
import { faults } from '../scenarios/faults.ts';
import { judging } from '../scenarios/judging.ts';
import { organizations } from '../scenarios/organizations.ts';
import { programs } from '../scenarios/programs.ts';
import { sandboxes } from '../scenarios/sandboxes.ts';
import { settings } from './settings.ts';

export const scenarios = {
  ...clients,
  ...programs,
  ...sandboxes,
  ...commands,
  ...organizations,
  ...judging,
  ...faults,
};

export type Ended = { id: string; milliseconds: number; error?: string };

const LIMIT_MS = 60_000;

/** Runs the scenarios that were asked for, several at once, and tells of each that ends. */
export async function runAll(
  all: Record<string, () => Promise<void>>,
  atOnce: number,
  tell: (ended: Ended) => unknown,
): Promise<void> {
  const waiting = settings.only.values();
  const lane = async () => {
    for (const id of waiting) {
      const began = performance.now();
      const error = await withinLimit(all[id]!).then(
        () => undefined,
        (error: unknown) => String((error as Error)?.stack || error),
      );
      await tell({ id, milliseconds: performance.now() - began, ...(error ? { error } : {}) });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

async function withinLimit(scenario: () => Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not ended after ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  await Promise.race([scenario(), late]).finally(() => clearTimeout(timer));
}
