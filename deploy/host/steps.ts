import type { Progress } from './root.ts';

/** Prints what goes on, a line at a time, each with the seconds since the beginning: the same on a terminal and in a file. */
export type Steps = {
  say: Progress;
  /** Does a part of the start, prints the lines that it tells below its name, and at its end how long it took. */
  run<T>(name: string, work: (tell: Progress) => Promise<T>): Promise<T>;
};

export function createSteps(print: Progress): Steps {
  const began = performance.now();
  const say = (line: string) => print(`[${secondsSince(began).padStart(5)} s] ${line}`);
  return {
    say,
    async run(name, work) {
      const stepBegan = performance.now();
      const result = await work((line) => say(`${name}: ${line}`));
      say(`${name}: ready (${secondsSince(stepBegan)} s)`);
      return result;
    },
  };
}

const secondsSince = (began: number) => ((performance.now() - began) / 1000).toFixed(1);

/**
 * Waits for all of them even where one fails, so that nothing is still being made when its place is given up. Then throws
 * the error that came first; `onFailure` hears of each at once, to end the others early.
 */
export async function together<T extends unknown[]>(
  work: { [Index in keyof T]: Promise<T[Index]> },
  onFailure: (error: unknown) => void = () => {},
): Promise<T> {
  const errors: unknown[] = [];
  const watched = work.map((each) =>
    each.catch((error) => {
      errors.push(error);
      onFailure(error);
    }),
  );
  const results = await Promise.all(watched);
  if (errors.length > 0) throw errors[0];
  return results as T;
}
