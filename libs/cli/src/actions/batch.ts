import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Drydock, Execution, Job, Submission } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Failure } from '../failures.ts';
import { printableJson } from '../printable.ts';
import { startLine } from '../progress.ts';
import { showMs } from '../units.ts';
import { reasonOf } from './program-source.ts';

/** Of one call. */
const MAX_SUBMISSIONS = 1_000;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
/** Executions that are watched at one time: the queue runs the first ones first. */
const WATCHED_AT_ONCE = 500;
/** Executions that are cancelled at one time. */
const CANCELLED_AT_ONCE = 50;
/** How long a full queue is left alone before the next try, unless an execution ends first. */
const FULL_QUEUE_MS = 2_000;

type Line = { line: number; submission: Submission; bytes: number };
type Progress = { verdicts: Map<string, number>; submitted: number; ended: number };

/** Queues the submissions of a file and waits for all of them. */
export async function batch(context: Context, file: string, { detach = false }: { detach?: boolean }): Promise<number> {
  const drydock = await context.connect();
  const lines = await readLines(file);
  const progress: Progress = { verdicts: new Map(), submitted: 0, ended: 0 };
  const open = new Set<Job>();
  context.defer(() => cancelAll(open));
  using bar = startLine(context.signal, lines.length, (done, elapsedMs) =>
    partsOf(progress, lines.length, done, elapsedMs),
  );
  const end = async (line: number, verdict: string, result: object) => {
    progress.ended += 1;
    progress.verdicts.set(verdict, (progress.verdicts.get(verdict) ?? 0) + 1);
    bar.add(1);
    // On a terminal, lines would run into the bar; there the counts are the result.
    if (context.output.format !== 'table') await context.output.line({ line, ...result });
  };
  await submitAndWait(context, drydock, lines, { open, progress, detach, end });
  bar[Symbol.dispose]();
  if (context.output.format === 'table') await context.output.print(countsOf(progress));
  const accepted = progress.verdicts.get(detach ? 'QUEUED' : 'ACCEPTED') ?? 0;
  return accepted === lines.length ? EXIT.ok : EXIT.unsuccessful;
}

type Round = {
  open: Set<Job>;
  progress: Progress;
  detach: boolean;
  end: (line: number, verdict: string, result: object) => Promise<void>;
};

async function submitAndWait(context: Context, drydock: Drydock, lines: Line[], round: Round): Promise<void> {
  const { signal } = context;
  const { open, end, detach } = round;
  const waiting = new Set<Promise<void>>();
  let failure: unknown;
  let oneEnded = Promise.withResolvers<void>();
  const watch = async (job: Job, line: number): Promise<void> => {
    const execution = await job.wait({ signal });
    open.delete(job);
    oneEnded.resolve();
    await end(line, execution.verdict ?? execution.state, shown(execution));
  };
  for (let rest = lines; rest.length > 0; ) {
    const group = firstOf(rest);
    const full: Line[] = [];
    const results = await drydock.executions.batch(
      group.map(({ submission }) => submission),
      { signal },
    );
    for (const [at, result] of results.entries()) {
      const { line } = group[at]!;
      if ('wait' in result) {
        round.progress.submitted += 1;
        if (detach) {
          await end(line, 'QUEUED', { id: result.id });
          continue;
        }
        open.add(result);
        if (waiting.size >= WATCHED_AT_ONCE) await Promise.race(waiting);
        const watched = watch(result, line).catch((error) => {
          failure ??= error;
        });
        waiting.add(watched);
        watched.then(() => waiting.delete(watched));
      } else if (result.reason === 'QUEUE_FULL') full.push(group[at]!);
      else await end(line, result.reason, { error: { reason: result.reason, message: result.message } });
      if (failure) throw failure;
    }
    rest = [...full, ...rest.slice(group.length)];
    if (full.length > 0) await Promise.race([oneEnded.promise, pause(signal)]);
    oneEnded = Promise.withResolvers();
  }
  await Promise.all(waiting);
  if (failure) throw failure;
}

function pause(signal: AbortSignal): Promise<void> {
  return import('node:timers/promises').then(({ setTimeout }) =>
    setTimeout(FULL_QUEUE_MS, undefined, { signal, ref: false }),
  );
}

/** As many as one call takes. */
function firstOf(lines: readonly Line[]): Line[] {
  const group: Line[] = [];
  let bytes = 0;
  for (const line of lines) {
    bytes += line.bytes;
    if (group.length > 0 && (group.length >= MAX_SUBMISSIONS || bytes > MAX_BATCH_BYTES)) break;
    group.push(line);
  }
  return group;
}

async function readLines(file: string): Promise<Line[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  const lines: Line[] = [];
  let line = 0;
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      if (text.trim())
        lines.push({ line, submission: parseSubmission(text, line, file), bytes: Buffer.byteLength(text) });
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure(`cannot read '${file}': ${reasonOf(cause)}`, undefined, { cause });
  }
  if (lines.length === 0)
    throw new Failure(
      `'${file}' has no submission`,
      'Each line is JSON, such as {"language":"python","source":"print(1)"}.',
    );
  return lines;
}

function parseSubmission(text: string, line: number, file: string): Submission {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Failure(`${file}:${line} is not JSON: ${(cause as Error).message}`, 'Nothing was queued.', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Failure(`${file}:${line} is not a JSON object`, 'Nothing was queued.');
  return value as Submission;
}

function shown({ id, verdict, state, exitCode, signal, usage, message, cases }: Execution): object {
  return {
    id,
    ...(verdict ? { verdict } : { state }),
    exitCode,
    ...(signal ? { signal } : {}),
    ...(usage ? { usage } : {}),
    ...(message ? { message } : {}),
    ...(cases.length > 0 ? { cases: cases.map((each) => ({ name: each.name, verdict: each.verdict })) } : {}),
  };
}

function partsOf({ verdicts }: Progress, total: number, done: number, elapsedMs: number): string[] {
  const rate = done / Math.max(0.001, elapsedMs / 1_000);
  const left = done > 0 ? `${showMs(((total - done) / rate) * 1_000)} left` : '';
  const counts = [...verdicts].map(([name, count]) => printableJson(`${name} ${count}`));
  return [`${done}/${total}`, `${rate.toFixed(rate < 10 ? 1 : 0)}/s`, left, ...counts];
}

function countsOf({ verdicts }: Progress): string {
  return [...verdicts].map(([name, count]) => `${printableJson(name)} ${count}\n`).join('');
}

/** What has not ended when the command does is not run for nobody. */
async function cancelAll(open: Set<Job>): Promise<void> {
  if (open.size === 0) return;
  process.stderr.write(`cancelling ${open.size} executions\n`);
  const rest = open.values();
  const worker = async () => {
    for (const job of rest) await job.cancel();
  };
  await Promise.all(Array.from({ length: Math.min(CANCELLED_AT_ONCE, open.size) }, worker));
}
