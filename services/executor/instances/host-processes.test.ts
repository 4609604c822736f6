import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { expect, test } from 'vitest';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { loadConfig } from '../config.ts';
import { processesForSandboxes, processIdsOfHost, warnOfFewProcesses } from './host-processes.ts';

const required = { NATS_URL: 'nats://localhost' };

test('by default half of the host’s process ids are for sandboxes, and never more than it has', () => {
  const pidMax = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
  expect(processIdsOfHost()).toBeLessThanOrEqual(pidMax);
  expect(loadConfig(required).processes).toBe(Math.floor(processIdsOfHost() / 2));
  expect(2 * processesForSandboxes(2)).toBeLessThanOrEqual(processesForSandboxes());
  const more = { ...required, EXECUTOR_PROCESSES: String(processIdsOfHost() + 1) };
  expect(() => loadConfig(more)).toThrow(/EXECUTOR_PROCESSES: needs a whole number from 16 to \d+/);
});

test('a host with too few process ids is named at the start', () => {
  const catalog = readCatalog(join(import.meta.dirname, '../../../deploy/images/catalog.json'));
  const lines: string[] = [];
  const log = pino({}, { write: (line) => void lines.push(line) });
  warnOfFewProcesses({ processes: 1_000_000, maxSandboxes: 200 }, catalog, log);
  expect(lines).toEqual([]);
  warnOfFewProcesses({ processes: 16_384, maxSandboxes: 200 }, catalog, log);
  expect(lines).toEqual([expect.stringContaining('raise kernel.pid_max')]);
});
