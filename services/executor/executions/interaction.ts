import { durationOf, millisecondsOf } from '#libs/catalog/limits.ts';
import type { CheckerSpec, ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import { compileJudge, judgementOf } from './checker.ts';
import type { File } from './data.ts';
import type { GivenCase } from './given-case.ts';
import type { Judgement } from './judge.ts';
import { type Cache, openProgram, type Program } from './program.ts';
import { type Protocol, protocolOf, talkFilesOf, withFeedback } from './protocols.ts';
import { endOf, keepUpTo } from './step.ts';
import { createPipe, createTranscript, type Speaker, type Transcript } from './talk.ts';
import { failureOf, type StepEnd } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

/** How long the interactor may outlive a program, at the least, and either one a talk whose verdict is known. */
const MARGIN_MS = 5_000;
const GRACE_MS = 1_000;

const NOTHING = Buffer.alloc(0);
const ACCEPTED: Judgement = { verdict: 'ACCEPTED', message: '' };

/** A program that talks with another one, and judges it. */
export type Interactor = AsyncDisposable & {
  program: Program;
  protocol: Protocol;
  step: ExecutionStep;
  /** Compiles it once. What it answers is why that failed. */
  compile(signal: AbortSignal): Promise<Judgement | undefined>;
};

export type Talk = { ended: StepEnd; judgement: Judgement; transcript?: Buffer | undefined };

export type TalkOptions = {
  program: Pick<Program, 'run'>;
  interactor: Interactor;
  step: ExecutionStep;
  given: GivenCase;
  keepTranscript: boolean;
  signal: AbortSignal;
};

/** An interactor in a workspace of its own. */
export async function openInteractor(
  open: (signal: AbortSignal) => Promise<Workspace>,
  { compile, run, protocol: name }: CheckerSpec,
  { files, runs, cache }: { files: File[]; runs: number; cache: Cache },
  signal: AbortSignal,
): Promise<Interactor> {
  const protocol = protocolOf(name);
  const program = await openProgram(open, { files: withFeedback(files, protocol), compile, runs }, cache, signal);
  let compiled: Promise<Judgement | undefined> | undefined;
  return {
    program,
    protocol,
    step: run!,
    compile: (signal) => (compiled ??= compileJudge('interactor', program, signal)),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/** What is known of a program that was ended because the verdict no longer depended on it. */
const CUT_OFF = { exited: undefined, lost: 'EXITED', peakMemoryBytes: undefined } as const;

/** Runs a program and an interactor, each with the output of the other as its input, and judges the program. */
export async function talk(options: TalkOptions): Promise<Talk> {
  const { interactor, keepTranscript, signal } = options;
  const broken = await interactor.compile(signal);
  if (broken) return { ended: { ...CUT_OFF, stdout: NOTHING, stderr: NOTHING }, judgement: broken };
  const over = new AbortController();
  const transcript = keepTranscript ? createTranscript() : undefined;
  const both = begin(options, transcript, over.signal);
  const { running, judging } = both;
  try {
    await Promise.race([running, judging]);
    return { ...(await decide(both, options)), transcript: transcript?.bytes() };
  } finally {
    over.abort();
    await Promise.allSettled([running, judging]);
  }
}

type Both = {
  running: Promise<StepEnd>;
  judging: Promise<Judgement>;
  /** Which of the two has ended before the other. */
  first(): Speaker | undefined;
  endProgram: AbortController;
  endInteractor: AbortController;
  /** What the program has said. */
  said(): Buffer;
  /** With the limits of the talk. */
  step: ExecutionStep;
};

function begin(options: TalkOptions, transcript: Transcript | undefined, over: AbortSignal): Both {
  const { program, interactor, step, given, signal } = options;
  const [ours, theirs] = withTimes(step, interactor.step);
  const [said, asked] = [createPipe(ours.limits!.outputBytes), createPipe(theirs.limits!.outputBytes)];
  const kept = keepUpTo(ours.limits!.outputBytes);
  const [endProgram, endInteractor] = [new AbortController(), new AbortController()];
  const within = (end: AbortController) => AbortSignal.any([signal, end.signal, over]);
  let first: Speaker | undefined;
  const run = async (): Promise<StepEnd> => {
    const sink = (data: Uint8Array) => {
      kept.push(data);
      said.write(data);
      transcript?.add('program', data);
    };
    try {
      const ended = await endOf(program.run(ours, { stdin: asked, sink, signal: within(endProgram) }));
      return { ...ended, stdout: kept.bytes() };
    } finally {
      first ??= 'program';
      said.end();
      asked.drop();
    }
  };
  const judge = async (): Promise<Judgement> => {
    const sink = (data: Uint8Array) => {
      asked.write(data);
      transcript?.add('interactor', data);
    };
    const { protocol, program } = interactor;
    const files = talkFilesOf(protocol, given);
    let ended: StepEnd;
    try {
      ended = await endOf(program.run(theirs, { files, stdin: said, sink, signal: within(endInteractor) }));
    } finally {
      first ??= 'interactor';
      asked.end();
      said.drop();
    }
    return await judgementOf('interactor', { program, protocol, step: theirs, ended, points: given.points, signal });
  };
  const [running, judging] = [run(), judge()];
  return { running, judging, first: () => first, endProgram, endInteractor, said: () => kept.bytes(), step: ours };
}

/** Who ended first decides, unless by a good end; then the other one does. */
async function decide(both: Both, { signal }: TalkOptions): Promise<Omit<Talk, 'transcript'>> {
  const { running, judging, step } = both;
  if (both.first() === 'interactor') {
    const judgement = await judging;
    if (judgement.verdict === 'ACCEPTED') return withFailure(step, await running, judgement);
    const ended = await endedSoon(running, both.endProgram, signal);
    return { ended: ended ?? { ...CUT_OFF, stdout: both.said(), stderr: NOTHING }, judgement };
  }
  const ended = await running;
  if (failureOf(step, ended)) await endedSoon(judging, both.endInteractor, signal);
  const judgement = failureOf(step, ended) ? ACCEPTED : await judging;
  return withFailure(step, ended, judgement);
}

/** The program's own failure, or what the interactor said. */
function withFailure(step: ExecutionStep, ended: StepEnd, judgement: Judgement): Omit<Talk, 'transcript'> {
  const verdict = failureOf(step, ended);
  return { ended, judgement: verdict ? { verdict, message: '' } : judgement };
}

/**
 * The program in a talk may wait as long as the interactor may run, beside its own time, and the interactor a little longer: a talk in
 * which both wait ends by the program's time.
 */
function withTimes(step: ExecutionStep, interactor: ExecutionStep): [ExecutionStep, ExecutionStep] {
  const wallMs = millisecondsOf(step.limits!.wallTime!) + millisecondsOf(interactor.limits!.wallTime!);
  const withWall = (each: ExecutionStep, ms: number) => ({
    ...each,
    limits: { ...each.limits!, wallTime: durationOf(ms) },
  });
  return [withWall(step, wallMs), withWall(interactor, wallMs + MARGIN_MS)];
}

/** The result of a run that nothing depends on any more; undefined if it did not end soon, and was ended. */
async function endedSoon<T>(run: Promise<T>, end: AbortController, signal: AbortSignal): Promise<T | undefined> {
  const timer = setTimeout(() => end.abort(), GRACE_MS);
  try {
    return await run;
  } catch (error) {
    if (signal.aborted || !end.signal.aborted) throw error;
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
