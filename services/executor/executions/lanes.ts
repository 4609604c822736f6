import type { Logger } from '#libs/log.ts';
import type { Course } from './course.ts';
import type { Interactor } from './interaction.ts';
import type { Judge } from './judge.ts';
import type { Program } from './program.ts';

/** Where cases run one after the other: a program and what judges it. Several lanes run cases side by side. */
export type Lane = AsyncDisposable & { program: Program; judge: Judge; interactor: Interactor | undefined };

/** What cases yield, and then the outcome of each, case by case in their order. */
export type Step<Event, Outcome> = { event: Event } | { index: number; outcome: Outcome };

export type Lanes<Event, Outcome> = {
  course: Pick<Course, 'order' | 'skips'>;
  first: Lane;
  /** The largest number of lanes, the first among them. */
  count: number;
  /** Opens another lane; undefined if there is no room for one now. */
  open(signal: AbortSignal): Promise<Lane | undefined>;
  run(lane: Lane, index: number, signal: AbortSignal): AsyncGenerator<Event, Outcome>;
  signal: AbortSignal;
  log: Logger;
};

type Run<Event, Outcome> = {
  /** What it has yielded and nobody has taken yet. */
  events: Event[];
  outcome?: { value: Outcome };
  failure?: { error: unknown };
  /** Resolves at the next event, and at the end. */
  changed: PromiseWithResolvers<void>;
};

/** How many cases, for each lane, may be begun before the first of them has ended. */
const AHEAD_PER_LANE = 2;

/**
 * Runs the cases of a course in lanes. What is yielded is the same, in the same order, as with one lane: with several, a case may have
 * run that its course skips in the end, and of which nothing is told. The caller adds each outcome to the course before it asks on.
 */
export async function* runCases<Event, Outcome>(lanes: Lanes<Event, Outcome>): AsyncGenerator<Step<Event, Outcome>> {
  const { course, first, count, run, signal, log } = lanes;
  const { order } = course;
  const ended = new AbortController();
  const endings = AbortSignal.any([signal, ended.signal]);
  const idle = [first];
  const runs = new Map<number, Run<Event, Outcome>>();
  const under = new Set<Promise<void>>();
  let [head, next, open] = [0, 0, 1];

  const begin = (lane: Lane, index: number): void => {
    const begun: Run<Event, Outcome> = { events: [], changed: Promise.withResolvers() };
    runs.set(index, begun);
    const running = pump(run(lane, index, endings), begun).then(() => {
      under.delete(running);
      idle.push(lane);
      // With one lane what is skipped is known before the next case begins.
      if (open > 1) fill();
    });
    under.add(running);
  };
  const fill = (): void => {
    const last = Math.min(order.length, head + (open > 1 ? AHEAD_PER_LANE * open : 1));
    for (; next < last && idle.length > 0 && !ended.signal.aborted; next++) {
      const index = order[next]!;
      if (!course.skips(index)) begin(idle.pop()!, index);
    }
  };
  const extra = new AsyncDisposableStack();
  const openMore = async (): Promise<void> => {
    try {
      while (open < Math.min(count, order.length)) {
        const lane = await lanes.open(endings);
        if (!lane) return;
        extra.use(lane);
        open++;
        idle.push(lane);
        fill();
      }
    } catch (error) {
      if (!endings.aborted)
        log.info({ err: error }, 'failed to open another lane; the cases run in those that there are');
    }
  };
  const opening = openMore();
  try {
    for (; head < order.length; head++) {
      const index = order[head]!;
      if (course.skips(index)) continue;
      fill();
      const current = runs.get(index)!;
      yield* eventsOf(current);
      runs.delete(index);
      yield { index, outcome: current.outcome!.value };
    }
  } finally {
    ended.abort();
    await Promise.allSettled([opening, ...under]);
    await extra.disposeAsync();
  }
}

async function pump<Event, Outcome>(from: AsyncGenerator<Event, Outcome>, to: Run<Event, Outcome>): Promise<void> {
  const tell = () => {
    const { changed } = to;
    to.changed = Promise.withResolvers();
    changed.resolve();
  };
  try {
    for (let next = await from.next(); ; next = await from.next()) {
      if (next.done) {
        to.outcome = { value: next.value };
        return;
      }
      to.events.push(next.value);
      tell();
    }
  } catch (error) {
    to.failure = { error };
  } finally {
    tell();
  }
}

/** The events of a run up to its end. Throws what ended it. */
async function* eventsOf<Event, Outcome>(run: Run<Event, Outcome>): AsyncGenerator<{ event: Event }> {
  for (;;) {
    const { changed } = run;
    for (let event = run.events.shift(); event !== undefined; event = run.events.shift()) yield { event };
    if (run.failure) throw run.failure.error;
    if (run.outcome) return;
    await changed.promise;
  }
}
