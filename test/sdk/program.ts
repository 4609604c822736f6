import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterAll, expect, inject, test } from 'vitest';
import { startControls } from './controls.ts';
import { keepOutcomes, SCENARIOS } from './outcomes.ts';

/** How a scenario ended, a line on the standard output of a program. `error` is absent where it passed. */
export type Ended = { id: string; milliseconds: number; error?: string };

export type Command = { command: string; args: string[]; cwd: string; env?: Record<string, string> };

/** Longest that the program of a language may take with all scenarios. */
const PROGRAM_MS = 300_000;

/** Runs scenarios, and answers when all have ended with what else there was to read. */
export type RunScenarios = (ids: readonly string[], tell: (ended: Ended) => void) => Promise<string>;

const ALL = SCENARIOS.map(({ id }) => id);

/** Tests of the scenarios with these ids, which run once for all of them. Of the others the table says that they are not run. */
export function testLane(lane: string, run: RunScenarios, ids: readonly string[] = ALL): void {
  const outcomes = new Map(ALL.filter((id) => !ids.includes(id)).map((id) => [id, 'not run']));
  let running: Promise<{ ended: Map<string, Ended>; log: string }> | undefined;
  const all = () => {
    running ??= (async () => {
      const ended = new Map<string, Ended>();
      const log = await run(ids, (end) => ended.set(end.id, end));
      return { ended, log };
    })();
    return running;
  };

  afterAll(() => keepOutcomes(lane, outcomes));

  test('every scenario is there, and no other', { timeout: PROGRAM_MS }, async () => {
    const { ended, log } = await all();
    expect([...ended.keys()].sort(), log).toEqual([...ids].sort());
  });

  test.each(SCENARIOS.filter(({ id }) => ids.includes(id)))('$what', { timeout: PROGRAM_MS }, async ({ id }) => {
    const { ended } = await all();
    const outcome = ended.get(id);
    if (outcome) outcomes.set(id, outcome.error ? 'failed' : `${Math.round(outcome.milliseconds)} ms`);
    expect(outcome).toBeDefined();
    expect(outcome?.error).toBeUndefined();
  });
}

/**
 * Runs the scenarios of a language that is not this one: one program runs them all, several at once, and prints a line of JSON
 * for each that ends, `{ id, milliseconds, error? }`. It is given the platform by `DRYDOCK_URL` and `DRYDOCK_API_KEY` (an
 * operator's), and by `DRYDOCK_CONTROLS` the address of the controls.
 */
export function testScenarios(language: string, prepare: () => Promise<Command>): void {
  testLane(language, async (_, tell) => {
    await using controls = await startControls();
    return await runProgram({ ...(await prepare()), controls }, tell);
  });
}

type Program = Command & { controls: { url: string } };

/** Answers with the end of its log. */
export async function runProgram(
  { command, args, cwd, env, controls }: Program,
  tell: (ended: Ended) => void,
): Promise<string> {
  const { httpUrl, apiKey } = inject('sdk');
  const program = execa(command, args, {
    cwd,
    env: { ...env, DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey, DRYDOCK_CONTROLS: controls.url },
    stdin: 'ignore',
    reject: false,
    timeout: PROGRAM_MS,
    buffer: { stdout: false },
  });
  for await (const line of createInterface(program.stdout)) if (line.startsWith('{')) tell(JSON.parse(line) as Ended);
  const { stderr } = await program;
  return stderr.slice(-4_000);
}
