import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterAll, expect, inject, test } from 'vitest';
import { startControls } from './controls.ts';
import { keepOutcomes, SCENARIOS } from './outcomes.ts';

/** A line of a scenario's end on the standard output of a program. `error` is absent where it passed. */
type Ended = { id: string; milliseconds: number; error?: string };

type Command = { command: string; args: string[]; cwd: string; env?: Record<string, string> };

/** Longest that the program of a language may take with all scenarios. */
const PROGRAM_MS = 300_000;

/**
 * Runs the scenarios of a language that is not this one: one program runs them all, several at once, and prints a line of JSON
 * for each that ends, `{ id, milliseconds, error? }`. It is given the platform by `DRYDOCK_URL` and `DRYDOCK_API_KEY` (an
 * operator's), and by `DRYDOCK_CONTROLS` the address of the controls.
 */
export function testScenarios(language: string, prepare: () => Promise<Command>): void {
  const outcomes = new Map<string, string>();
  let running: Promise<{ ended: Map<string, Ended>; log: string }> | undefined;
  const all = () => {
    running ??= runProgram(prepare);
    return running;
  };

  afterAll(() => keepOutcomes(language, outcomes));

  test('every scenario is there, and no other', { timeout: PROGRAM_MS }, async () => {
    const { ended, log } = await all();
    expect([...ended.keys()].sort(), log).toEqual(SCENARIOS.map(({ id }) => id).sort());
  });

  test.each(SCENARIOS)('$what', { timeout: PROGRAM_MS }, async ({ id }) => {
    const { ended } = await all();
    const outcome = ended.get(id);
    if (outcome) outcomes.set(id, outcome.error ? 'failed' : `${Math.round(outcome.milliseconds)} ms`);
    expect(outcome).toBeDefined();
    expect(outcome?.error).toBeUndefined();
  });
}

async function runProgram(prepare: () => Promise<Command>) {
  const { command, args, cwd, env } = await prepare();
  await using controls = await startControls();
  const { httpUrl, apiKey } = inject('sdk');
  const program = execa(command, args, {
    cwd,
    env: { ...env, DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey, DRYDOCK_CONTROLS: controls.url },
    stdin: 'ignore',
    reject: false,
    timeout: PROGRAM_MS,
    buffer: { stdout: false },
  });
  const ended = new Map<string, Ended>();
  for await (const line of createInterface(program.stdout)) {
    if (!line.startsWith('{')) continue;
    const end = JSON.parse(line) as Ended;
    ended.set(end.id, end);
  }
  const { stderr } = await program;
  return { ended, log: stderr.slice(-4_000) };
}
