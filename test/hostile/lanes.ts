import { setTimeout as wait } from 'node:timers/promises';
import { hasReason } from '#libs/errors.ts';
import type { AppliedLimits } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import type { ProcessExited } from '#proto/drydock/v1/process.ts';
import { CALLER, executionOf, LIMITS, python, type TestExecutor } from '../integration/executor/fixture.ts';
import { textOf } from '../support/api.ts';
import type { Call } from './programs/calls.ts';
import { CLEANING, FINE, nextProgram } from './programs/next.ts';
import { type End, type Place, type Program, sourceOf } from './programs/program.ts';

/** What came of a program. */
export type Outcome = { verdict: End; stdout: string; stderr: string };

/** A place for one program after the other, all of one organisation. */
export type Lane = AsyncDisposable & {
  run(program: Program): Promise<Outcome>;
  /**
   * Runs an ordinary program in the same place, or, of a live sandbox that has stopped, in another one; throws if anything is in its
   * way. `true`: it was in another one.
   */
  next(): Promise<boolean>;
  /** Of a live sandbox alone: makes the call, and answers as if it were a program that printed its answer. */
  call?(call: Call): Promise<Outcome>;
};

/** Longer than the whole list takes in a place. */
export const LIFETIME_MS = 2 * 3_600_000;

export async function openLane(executor: TestExecutor, place: Place, organizationId: string): Promise<Lane> {
  return place.startsWith('live') ? liveLane(executor) : executionLane(executor, place, organizationId);
}

function executionLane(executor: TestExecutor, place: Place, organizationId: string): Lane {
  const isolation = place === 'cell' ? 'CELL' : 'SANDBOX';
  const run = async (program: Parameters<TestExecutor['run']>[0]) => {
    const { verdict, execution } = await executor.run({ isolation, organizationId, ...program });
    const { stdout, stderr, compile } = execution!;
    return { verdict, stdout, stderr: stderr || (compile?.stdout ?? '') + (compile?.stderr ?? '') };
  };
  return {
    run: (program) => {
      const { compiler, limits = {} } = program;
      const step = executionOf({ source: '', limits }).run!;
      const compiled = compiler && {
        compile: ['g++', '-x', 'c++', 'main.py', '-o', 'main', ...compiler],
        compileLimits: limits,
        run: { ...step, command: ['./main'] },
      };
      return run({ source: sourceOf(program), limits, ...compiled });
    },
    async next() {
      const { verdict, stdout, stderr } = await run({ source: nextProgram({ isFresh: true }) });
      if (verdict !== 'ACCEPTED' || stdout !== FINE)
        throw new Error(`the next program: ${verdict} ${stdout} ${stderr}`);
      return false;
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function liveLane(executor: TestExecutor): Promise<Lane> {
  const open = () => executor.sandbox({ expireTime: new Date(Date.now() + LIFETIME_MS) });
  let sandboxId = await open();
  const runNext = async () => {
    await clean(executor, sandboxId);
    const { stdout, stderr, exited } = await executor.command(sandboxId, python(nextProgram({ isFresh: false })));
    if (stdout !== FINE) throw new Error(`the next program: ${exited.exitCode} ${exited.signal} ${stdout} ${stderr}`);
  };
  return {
    run: (program) => follow(executor, sandboxId, sourceOf(program), { ...LIMITS, ...program.limits }),
    async call({ call }) {
      const stdout = await Promise.resolve(call(executor, sandboxId)).then(String, reasonOf);
      return { verdict: 'ACCEPTED', stdout, stderr: '' };
    },
    async next() {
      try {
        await runNext();
        return false;
      } catch (error) {
        if (!hasStopped(error)) throw error;
        sandboxId = await open();
        await runNext();
        return true;
      }
    },
    [Symbol.asyncDispose]: async () => void (await executor.destroy(sandboxId)),
  };
}

/** Each try gets further. */
const CLEANINGS = 10;

async function clean(executor: TestExecutor, sandboxId: string): Promise<void> {
  for (let tried = 0; tried < CLEANINGS; tried++) {
    // Isolated from what an earlier program left for the interpreter.
    const { exited } = await executor.command(sandboxId, ['python3', '-I', '-c', CLEANING]);
    if (exited.exitCode === 0) return;
  }
}

function reasonOf(error: unknown): string {
  const reason = (error as { reason?: string }).reason;
  if (!reason) throw error;
  return reason;
}

/** Follows a program of a live sandbox as a careful caller does, who leaves when it takes too long or says too much. */
async function follow(
  executor: TestExecutor,
  sandboxId: string,
  source: string,
  limits: AppliedLimits,
): Promise<Outcome> {
  const leaving = new AbortController();
  const output = { stdout: '', stderr: '' };
  let exited: ProcessExited | undefined;
  let left: Verdict | undefined;
  const leave = (verdict: Verdict) => {
    left ??= verdict;
    leaving.abort();
  };
  const timer = setTimeout(leave, limits.wallTime!.seconds * 1000 + limits.wallTime!.nanos / 1e6, 'WALL_TIME_EXCEEDED');
  try {
    for await (const { event } of executor.start(sandboxId, python(source), {}, leaving.signal)) {
      if (event?.$case === 'exited') exited = event.value;
      if (event?.$case !== 'stdout' && event?.$case !== 'stderr') continue;
      output[event.$case] += textOf(event.value);
      if (output[event.$case].length > limits.outputBytes) leave('OUTPUT_EXCEEDED');
    }
  } catch (error) {
    if (hasStopped(error)) return { ...output, verdict: 'SANDBOX_STOPPED' };
    if (!left) throw error;
  } finally {
    clearTimeout(timer);
  }
  if (left) await allEnded(executor, sandboxId);
  return { ...output, verdict: exited ? verdictOf(exited) : left! };
}

function verdictOf({ exitCode, usage }: ProcessExited): Verdict {
  if (usage?.oomKills) return 'MEMORY_EXCEEDED';
  return exitCode === 0 ? 'ACCEPTED' : 'RUNTIME_ERROR';
}

/** The second one is of a while later. */
const hasStopped = (error: unknown) => hasReason(error, 'SANDBOX_STOPPED', 'SANDBOX_NOT_FOUND');

/** An agent gets little of a core while programs take all that its sandbox has. */
const END_MS = 75_000;

/** Waits until nothing of a caller that left runs on. */
async function allEnded({ processes }: TestExecutor, sandboxId: string): Promise<void> {
  for (const started = performance.now(); ; await wait(50)) {
    // Its agent may be too busy with the program's end to answer.
    const listed = await processes.listProcesses({ sandboxId }, { caller: CALLER }).catch((error) => {
      if (hasStopped(error)) return { processes: [] };
      if (reasonOf(error) !== 'SERVICE_UNAVAILABLE') throw error;
    });
    if (listed?.processes.every(({ exited }) => exited)) return;
    if (performance.now() - started > END_MS) throw new Error('a program runs on though its caller left');
  }
}
