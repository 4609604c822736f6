import { type Duration, readLimit } from './durations.ts';
import {
  type CaseResult as CaseResultMessage,
  type Comparison,
  type CompileResult as CompileResultMessage,
  type Execution as ExecutionMessage,
  type Isolation,
  RunCodeRequest,
  type SourceFile as SourceFileMessage,
  type Verdict,
} from './generated/drydock/v1/execution.ts';
import { type ResourceLimits, type ResourceUsage, refuseOthers, toLimits, toUsage } from './options.ts';

/** Files beside each other, by name: text or bytes. */
export type SourceFiles = Readonly<Record<string, string | Uint8Array>>;

export type TestCase = {
  /** Given back with the result. */
  name?: string;
  stdin?: string;
  /** Absent: exit code 0 is enough, unless there is a checker. */
  expectedOutput?: string;
  /** Default: those of the program. */
  limits?: ResourceLimits;
};

/** A program that decides whether an output is right: the arguments are files `input`, `output` and `expected`. */
export type Checker = {
  language: string;
  source?: string;
  files?: SourceFiles;
  entrypoint?: string;
  wallTime?: Duration;
  wallTimeMs?: number;
};

/** What to run. Either `language` with `source` or `files`, or `template` with `command`. */
export type Program = {
  language?: string;
  template?: string;
  command?: readonly string[];
  source?: string;
  files?: SourceFiles;
  entrypoint?: string;
  compilerOptions?: readonly string[];
  arguments?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  stdin?: string;
  expectedOutput?: string;
  comparison?: 'TRAILING_SPACE' | 'EXACT' | 'TOKENS' | 'FLOAT';
  floatTolerance?: number;
  limits?: ResourceLimits;
  compileLimits?: ResourceLimits;
  isolation?: 'CELL' | 'SANDBOX';
  testCases?: readonly TestCase[];
  stopAtFirstFailure?: boolean;
  checker?: Checker;
};

const PROGRAM_OPTIONS = [
  'language',
  'template',
  'command',
  'source',
  'files',
  'entrypoint',
  'compilerOptions',
  'arguments',
  'environment',
  'stdin',
  'expectedOutput',
  'comparison',
  'floatTolerance',
  'limits',
  'compileLimits',
  'isolation',
  'testCases',
  'stopAtFirstFailure',
  'checker',
];

export type Execution = Omit<
  ExecutionMessage,
  'state' | 'verdict' | 'exitCode' | 'signal' | 'usage' | 'compile' | 'cases' | 'isolation'
> & {
  state: Exclude<ExecutionMessage['state'], 'STATE_UNSPECIFIED'>;
  /** Undefined until it has ended. */
  verdict: Verdict | undefined;
  exitCode: number | null;
  signal: string | null;
  usage: ResourceUsage | undefined;
  /** Of compiled languages. */
  compile: CompileResult | undefined;
  /** One for each test case, in their order. */
  cases: CaseResult[];
};

type Ended = { exitCode: number | null; signal: string | null; usage: ResourceUsage | undefined };
export type CompileResult = Omit<CompileResultMessage, keyof Ended> & Ended;
export type CaseResult = Omit<CaseResultMessage, keyof Ended | 'verdict'> & Ended & { verdict: Verdict | undefined };

export function toRequest(program: Program): RunCodeRequest {
  refuseOthers(program, PROGRAM_OPTIONS);
  const { files, limits, compileLimits, testCases = [], checker, comparison, isolation, ...rest } = program;
  return RunCodeRequest.create({
    ...(rest as Partial<RunCodeRequest>),
    files: toFiles(files),
    limits: toLimits(limits),
    compileLimits: toLimits(compileLimits),
    comparison: (comparison ?? 'COMPARISON_UNSPECIFIED') as Comparison,
    isolation: (isolation ?? 'ISOLATION_UNSPECIFIED') as Isolation,
    testCases: testCases.map((testCase) => {
      refuseOthers(testCase, ['name', 'stdin', 'expectedOutput', 'limits']);
      return { name: '', stdin: '', ...testCase, limits: toLimits(testCase.limits) };
    }),
    checker: checker && toChecker(checker),
  });
}

function toChecker(checker: Checker) {
  refuseOthers(checker, ['language', 'source', 'files', 'entrypoint', 'wallTime', 'wallTimeMs']);
  const { language, source = '', files, entrypoint = '' } = checker;
  return { language, source, files: toFiles(files), entrypoint, wallTime: readLimit(checker, 'wallTime') };
}

function toFiles(files: SourceFiles = {}): SourceFileMessage[] {
  return Object.entries(files).map(([name, value]) => ({
    name,
    content: typeof value === 'string' ? { $case: 'text', value } : { $case: 'data', value },
  }));
}

export function toExecution({
  isolation: _,
  compile,
  cases,
  verdict,
  state,
  ...execution
}: ExecutionMessage): Execution {
  return {
    ...execution,
    ...toEnded(execution),
    state: state as Execution['state'],
    verdict: known(verdict),
    compile: compile && { ...compile, ...toEnded(compile) },
    cases: cases.map((result) => ({ ...result, ...toEnded(result), verdict: known(result.verdict) })),
  };
}

function toEnded({ exitCode, signal, usage }: Pick<CompileResultMessage, 'exitCode' | 'signal' | 'usage'>): Ended {
  return { exitCode: exitCode ?? null, signal: signal || null, usage: toUsage(usage) };
}

function known(verdict: Verdict): Verdict | undefined {
  return verdict === 'VERDICT_UNSPECIFIED' ? undefined : verdict;
}
