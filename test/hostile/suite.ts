import Table from 'cli-table3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import type { TestExecutor } from '../integration/executor/fixture.ts';
import { QUANTITIES, readHost, settledSince, TOLERANCES, type Tolerances } from './host-meter.ts';
import { type Lane, type Outcome, openLane } from './lanes.ts';
import { startNeighbour } from './neighbour.ts';
import { ALL_PROGRAMS, FEW_CALLS, FEW_PROGRAMS } from './programs/all.ts';
import { CALLS, type Call } from './programs/calls.ts';
import { evidenceOf, shownBy } from './programs/evidence.ts';
import {
  ENDS_WITH_ITS_KERNEL,
  endsWithItsKernel,
  expectedIn,
  OF_ITS_KERNEL,
  type Place,
  type Program,
} from './programs/program.ts';

/** `npm run security` runs every program in every place; `npm test` each in its cheapest, and some in every other. */
const RUNS_ALL = process.env.HOSTILE_PROGRAMS === 'all';
const CHEAPEST: Place = 'cell';
/** Places that run a program at one time. */
const LANES = 4;

/** The programs of each place, and with what its executor is started. */
export type Run = {
  places: readonly Place[];
  start: () => Promise<TestExecutor>;
  /** By how much the host may have more afterwards, where it is not `TOLERANCES`. */
  tolerances?: Partial<Tolerances>;
};

/** Runs hostile programs in each place, one after the other in each of a few lanes, beside a neighbour that must not notice. */
export function hostilePrograms(title: string, runs: readonly Run[]): void {
  const results: Results = new Map();
  const summaries: string[] = [];
  for (const run of runs) {
    describe(`${title}: ${run.places.join(', ')}`, () => {
      let scene: Scene;
      beforeAll(async () => {
        scene = await setUp(run);
      });
      afterAll(() => scene?.[Symbol.asyncDispose]());

      describe.each(run.places)('in a %s', (place) => {
        test.concurrent.for(programsOf(place))('$name', async (program, { expect }) => {
          const outcome = await scene.attempt(place, (lane) => lane.run(program));
          note(results, program, place, outcome);
          const { ends, says } = expectedIn(program, place)!;
          const told = `${outcome.stdout.slice(0, 500)} ${outcome.stderr.slice(-1000)}`;
          expect.soft(ends, told).toContain(outcome.verdict);
          if (outcome.verdict === 'ACCEPTED') expect.soft(outcome.stdout.trimEnd(), told).toMatch(says);
          const evidence = evidenceOf(program.stoppedBy, place, outcome);
          if (evidence) expect.soft(shownBy(outcome), `${program.stoppedBy}: ${told}`).toMatch(evidence);
          expect(outcome.next, `${told} ${outcome.next}`).toBe('fine');
        });

        test.concurrent.for(callsOf(place))('$name', async (call, { expect }) => {
          const { next, ...outcome } = await scene.attempt(place, (lane) => lane.call!(call));
          note(results, call, place, outcome);
          expect.soft(['ACCEPTED', ...endsWithItsKernel(call.stoppedBy, place)]).toContain(outcome.verdict);
          if (outcome.verdict === 'ACCEPTED') expect.soft(outcome.stdout).toMatch(call.answers);
          expect(next, outcome.stdout).toBe('fine');
        });
      });

      test('no neighbour notices', () => {
        summaries.push(`${run.places.join(', ')}: ${scene.neighbour.summary()}`);
        expect(scene.neighbour.affected).toEqual([]);
      });

      test('the host is as it was', async () => {
        const { before } = scene;
        const tolerances = { ...TOLERANCES, ...run.tolerances };
        const { after, grown, judged, newOwn, settings } = await settledSince(before, tolerances);
        for (const name of QUANTITIES) {
          const bound = judged.includes(name)
            ? `may grow by ${tolerances[name]}`
            : 'not judged: others started programs';
          summaries.push(`  ${name}: ${before.reading[name]} before, ${after[name]} after, ${bound}`);
        }
        expect(grown, newOwn.join('\n')).toEqual([]);
        expect(settings).toEqual(before.settings);
      });
    });
  }
  afterAll(() =>
    print(
      runs.flatMap(({ places }) => places),
      results,
      summaries,
    ),
  );
}

type Attempted = Outcome & {
  /** `fine`, or what was in the way of the next program. */
  next: string;
};
type Attack = Program | Call;
type Results = Map<Attack, Map<Place, string>>;
type Scene = Awaited<ReturnType<typeof setUp>>;

/** An executor with a neighbour, and lanes in each place that have run an ordinary program. */
async function setUp({ places, start }: Run) {
  await using started = new AsyncDisposableStack();
  const executor = started.use(await start());
  const neighbour = started.use(await startNeighbour(executor));
  const laneOf = (place: Place) => openLane(executor, place, newId('org'));
  const lanes = new Map<Place, Lane[]>();
  for (const place of places) {
    const opened = await Promise.all(Array.from({ length: LANES }, async () => started.use(await laneOf(place))));
    await Promise.all(opened.map((lane) => lane.next()));
    lanes.set(place, opened);
  }
  const before = await readHost();
  const kept = started.move();
  return {
    neighbour,
    before,
    async attempt(place: Place, attack: (lane: Lane) => Promise<Outcome>): Promise<Attempted> {
      const free = lanes.get(place)!;
      // One that was harmed is not used again.
      const lane = free.pop() ?? kept.use(await laneOf(place));
      const outcome = await attack(lane);
      try {
        const isAnother = await lane.next();
        free.push(lane);
        return { ...outcome, ...(isAnother && { verdict: 'SANDBOX_STOPPED' as const }), next: 'fine' };
      } catch (error) {
        return { ...outcome, next: String(error) };
      }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function programsOf(place: Place): Program[] {
  const programs = RUNS_ALL || place === CHEAPEST ? ALL_PROGRAMS : FEW_PROGRAMS;
  return programs.filter((program) => expectedIn(program, place));
}

/** A live sandbox on this host is the cheapest place for calls. */
function callsOf(place: Place): Call[] {
  if (!place.startsWith('live')) return [];
  return RUNS_ALL || place === 'live' ? CALLS : FEW_CALLS;
}

function note(results: Results, program: Attack, place: Place, { verdict, stdout }: Outcome): void {
  const row = results.get(program) ?? new Map<Place, string>();
  row.set(place, shownBy({ verdict, stdout }) || 'harmless');
  results.set(program, row);
}

function print(places: Place[], results: Results, summaries: string[]): void {
  const table = new Table({ head: ['program', 'stopped by', ...places], style: { head: [], border: [] } });
  for (const [{ name, stoppedBy }, row] of results)
    table.push([name, stoppedBy, ...places.map((place) => row.get(place) ?? '')]);
  const counts = places.map((place) => `${[...results.values()].filter((row) => row.has(place)).length} in ${place}`);
  process.stdout.write(
    `${[table.toString(), `hostile programs: ${counts.join(', ')}`, ...summaries, ...exceptionsIn(places)].join('\n')}\n`,
  );
}

/** What is otherwise in some of the places, by its reason. */
function exceptionsIn(places: Place[]): string[] {
  const exceptions = ALL_PROGRAMS.flatMap(({ name, elsewhere = {} }) =>
    places.flatMap((place) => {
      const exception = elsewhere[place];
      if (!exception) return [];
      const what = exception.ends || exception.says ? 'otherwise' : 'not run';
      return [{ name, line: `${what} in the place "${place}", since ${exception.because}` }];
    }),
  );
  const byLine = Map.groupBy(exceptions, ({ line }) => line);
  const lines = [...byLine].map(([line, found]) => `${line}: ${found.map(({ name }) => name).join(', ')}`);
  const ending = places.filter((place) => ENDS_WITH_ITS_KERNEL[place]);
  const because = 'its kernel is a process with the sandbox’s memory, and ends where that does';
  const limits = [...OF_ITS_KERNEL];
  return [
    ...lines,
    ...ending.map((place) => `more ends in the place "${place}", since ${because}: ${limits.join(', ')}`),
  ];
}
