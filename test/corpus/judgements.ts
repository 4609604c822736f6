import { RunCodeRequest, type Verdict } from '#proto/drydock/v1/execution.ts';
import { corpus, EXCESSES, excesses, type Program } from './corpus.ts';

export type Judgement = {
  language: string;
  kind: string;
  verdict: Verdict;
  /** What ends the program too, where it does so itself. */
  signal?: string;
  request: RunCodeRequest;
};

const ENDING = ['hello', 'compile-error', 'runtime-error', 'out-of-memory'];
const seconds = (seconds: number) => ({ seconds, nanos: 0 });

/** Every language with every verdict that it is to be given, and what to ask for. */
export const judgements: Judgement[] = [
  ...corpus
    .filter(({ name, signal }) => ENDING.includes(name) || signal)
    .map((program) =>
      judgementOf(program, { expectedOutput: program.verdict === 'ACCEPTED' ? program.expected : undefined }),
    ),
  ...corpus
    .filter(({ name }) => name === 'hello')
    .map((program) => ({
      ...judgementOf(program, { expectedOutput: `not ${program.expected}` }),
      kind: 'wrong-answer',
      verdict: 'WRONG_ANSWER' as const,
    })),
  ...excesses.map((program) => {
    const { cpuTime, wallTime, ...sizes } = EXCESSES[program.name]!.limits;
    const limits = { cpuTime: seconds(cpuTime), wallTime: seconds(wallTime), ...sizes };
    return judgementOf(program, { limits: limits as never });
  }),
];

function judgementOf(program: Program, asked: Partial<RunCodeRequest>): Judgement {
  const { language, name, verdict, signal, entrypoint, stdin } = program;
  const files = program.files.map(({ name, text }) => ({ name, content: { $case: 'text' as const, value: text } }));
  return {
    language,
    kind: signal ? 'signal' : name,
    verdict,
    ...(signal && { signal }),
    request: RunCodeRequest.create({ language, files, entrypoint, stdin, comparison: 'EXACT', ...asked }),
  };
}
