import { durationOf } from '#libs/catalog/limits.ts';
import type { CheckerSpec, ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { firstOf } from '../agent/output.ts';
import { signalName } from '../agent/signals.ts';
import type { File } from './data.ts';
import type { Judge, Judgement } from './judge.ts';
import { type Cache, openProgram, type Program, succeeded } from './program.ts';
import { numberOf, type Protocol, printedPoints, protocolOf, type Says, withFeedback } from './protocols.ts';
import { endOf } from './step.ts';
import { failureOf, type StepEnd } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

const MAX_MESSAGE_BYTES = 1024;
const MAX_FEEDBACK_BYTES = 64 * 1024;
const FEEDBACK_MS = 2_000;

/** A checker program, compiled once in a workspace of its own, and run for each output by its protocol. */
export async function openChecker(
  open: (signal: AbortSignal) => Promise<Workspace>,
  { compile, run, protocol: name }: CheckerSpec,
  { files, runs, cache }: { files: File[]; runs: number; cache: Cache },
  signal: AbortSignal,
): Promise<Judge> {
  const protocol = protocolOf(name);
  const program = await openProgram(open, { files: withFeedback(files, protocol), compile, runs }, cache, signal);
  const step = run!;
  let compiled: Promise<Judgement | undefined> | undefined;
  return {
    async judge(given, output, signal) {
      compiled ??= compileJudge('checker', program, signal);
      const broken = await compiled;
      if (broken) return broken;
      const stdin = protocol.readsOutput ? { stdin: output } : {};
      const ended = await endOf(program.run(step, { files: protocol.files(given, output), ...stdin, signal }));
      return judgementOf('checker', { program, protocol, step, ended, points: given.points, signal });
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/** Compiles a judging program. What it answers is that this failed. */
export async function compileJudge(who: string, program: Program, signal: AbortSignal): Promise<Judgement | undefined> {
  const made = await program.compile(signal);
  return made && !succeeded(made) ? failed(who, 'does not compile', wordsOf(made)) : undefined;
}

export type Ended = {
  program: Pick<Program, 'look'>;
  protocol: Protocol;
  step: ExecutionStep;
  ended: StepEnd;
  /** Those of the case. */
  points: number;
  signal: AbortSignal;
};

/** What a judging program said by its end, its outputs and its feedback; INTERNAL_ERROR if it failed. */
export async function judgementOf(who: string, judging: Ended): Promise<Judgement> {
  const { program, protocol, step, ended, points, signal } = judging;
  const failure = failureOf(step, ended);
  const says = saysOf(protocol, failure, ended);
  if (!says) return failed(who, howItFailed(failure ?? 'RUNTIME_ERROR', ended), wordsOf(ended));
  if (!protocol.feedback) {
    const score = says === 'POINTS' ? { score: printedPoints(ended) } : {};
    return decided(who, says, { message: wordsOf(ended), ...score }, points);
  }
  const look = (path: string) => readFeedback(program, step, path, signal);
  const message = textOf((await look(protocol.feedback.message)) ?? Buffer.alloc(0)) || wordsOf(ended);
  const written = says === 'ACCEPTED' ? await look(protocol.feedback.score) : undefined;
  const score = written ? { score: numberOf(written.toString().trim()) } : {};
  return decided(who, says, { message, ...score }, points);
}

/** Points make the verdict if it is known how many there could be. */
function decided(who: string, says: Says, said: Omit<Judgement, 'verdict'>, points: number): Judgement {
  const { score, message } = said;
  if (Number.isNaN(score)) return failed(who, 'gave points that are no number from 0 on', message);
  const otherwise = says === 'POINTS' ? 'WRONG_ANSWER' : says;
  if (score === undefined || points === 0) return { ...said, verdict: otherwise };
  return { ...said, verdict: score >= points ? 'ACCEPTED' : 'WRONG_ANSWER' };
}

function saysOf({ exitCodes }: Protocol, failure: Verdict | undefined, { exited }: StepEnd): Says | undefined {
  if (exited?.signal !== 0 || (failure && failure !== 'RUNTIME_ERROR')) return undefined;
  return exitCodes[exited.exitCode];
}

/** A file that the program left; undefined if there is none, or it cannot be read. */
async function readFeedback(
  program: Pick<Program, 'look'>,
  { limits, ...step }: ExecutionStep,
  path: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const time = durationOf(FEEDBACK_MS);
  const own = { ...limits!, wallTime: time, cpuTime: time, outputBytes: MAX_FEEDBACK_BYTES };
  const { exited, stdout } = await program.look({ ...step, command: ['cat', '--', path], limits: own }, signal);
  return exited?.exitCode === 0 && exited.signal === 0 ? stdout : undefined;
}

/** That a judging program failed, in words. */
function failed(who: string, how: string, words: string): Judgement {
  return { verdict: 'INTERNAL_ERROR', message: `the ${who} ${how}${words ? `: ${words}` : ''}` };
}

function howItFailed(failure: Verdict, { exited }: StepEnd): string {
  switch (failure) {
    case 'WALL_TIME_EXCEEDED':
    case 'CPU_TIME_EXCEEDED':
      return 'took too long';
    case 'MEMORY_EXCEEDED':
      return 'ran out of memory';
    case 'OUTPUT_EXCEEDED':
      return 'wrote too much';
    default:
      return exited && exited.signal === 0
        ? `ended with exit code ${exited.exitCode}`
        : `was ended by ${signalName(exited?.signal ?? 0) || 'something unknown'}`;
  }
}

/** The first KiB of a program's outputs. */
function wordsOf({ stdout, stderr }: StepEnd): string {
  return textOf(Buffer.concat([stdout, stderr]));
}

function textOf(bytes: Buffer): string {
  return firstOf(bytes, MAX_MESSAGE_BYTES).toString().trim();
}
