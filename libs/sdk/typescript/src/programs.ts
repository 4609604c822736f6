import { type Duration, readLimit } from './durations.ts';
import {
  type CaseResult as CaseResultMessage,
  type Checker as CheckerMessage,
  type Comparison,
  type CompileResult as CompileResultMessage,
  type Execution as ExecutionMessage,
  type GroupResult as GroupResultMessage,
  type Isolation,
  RunCodeRequest,
  type SourceFile as SourceFileMessage,
  TestCase as TestCaseMessage,
  TestGroup as TestGroupMessage,
  type Verdict,
} from './generated/drydock/v1/execution.ts';
import { type ResourceLimits, type ResourceUsage, refuseOthers, toLimits, toUsage } from './options.ts';

/** A file whose content is a blob, to 256 MiB, by its SHA-256. */
export type BlobFile = { readonly blob: string };

/** Files beside each other, text, bytes or blobs, by name: relative, without `..`, to 255 bytes. At most 1,000. */
export type SourceFiles = Readonly<Record<string, string | Uint8Array | BlobFile>>;

export type TestCase = {
  /** Given back with the result. To 64 characters. Default: none. */
  name?: string;
  /** To 10 MiB. Default: empty. */
  stdin?: string;
  /** Absent: exit code 0 is enough, unless there is a checker. */
  expectedOutput?: string;
  /** Instead of `stdin` and of `expectedOutput`: the SHA-256 of a blob. */
  stdinBlob?: string;
  expectedOutputBlob?: string;
  /** Time, memory and output of this case. Default: those of the program. */
  limits?: ResourceLimits;
  /** The name of one of the program's groups. Default: none. */
  group?: string;
  /**
   * What it earns when it is accepted. From 0 to 1e9. Default: the points of its group, divided by the number of its cases where these
   * are summed; without a group 0.
   */
  points?: number;
};

/** Test cases that earn points together. */
export type TestGroup = {
  /** 1 to 64 characters, once in a program. */
  name: string;
  /** The most that it earns. From 0 to 1e9. Default: what its cases can earn. */
  points?: number;
  /** All of its points if all its cases were accepted, else none; the lowest score of a case; their sum. Default `ALL_OR_NOTHING`. */
  aggregation?: 'ALL_OR_NOTHING' | 'MIN' | 'SUM';
  /** Whether its cases are run after one that scored nothing. Default `CONTINUE`. */
  onFailure?: 'CONTINUE' | 'STOP';
  /** Groups that are run before it. Where a case of theirs was not accepted, its own are skipped. At most 100. Default: none. */
  dependsOn?: readonly string[];
};

/**
 * A program that decides whether an output is right, by one of three conventions; any end that is not of its convention is
 * INTERNAL_ERROR. Either `source` or `files`, to 1 MiB in all.
 */
export type Checker = {
  language: string;
  source?: string;
  files?: SourceFiles;
  /** As of the program. */
  entrypoint?: string;
  /** Of one run, to 300 s. Default 10 s. */
  wallTime?: Duration;
  wallTimeMs?: number;
  /**
   * `DRYDOCK`: arguments `input output expected`, exit code 0 accepts, 1 is a wrong answer. `TESTLIB`: arguments `input output
   * answer`, exit code 0 accepts, 1, 2, 4 and 8 are a wrong answer, 7 gives points. `KATTIS`: arguments `input answer feedback/`, the
   * output on standard input, exit code 42 accepts, 43 is a wrong answer, message and points in files. Default `DRYDOCK`.
   */
  protocol?: 'DRYDOCK' | 'TESTLIB' | 'KATTIS';
  /** Given to it after those. At most 64, 128 KiB in all. Default: none. */
  arguments?: readonly string[];
};

/**
 * A program that talks with the program: what one prints, the other reads. The input and the expected output of a case are its own, as
 * files. Fields and exit codes are those of a checker; messages and points are printed to standard error, and `wallTime` is CPU time.
 * Arguments of `DRYDOCK`: `input expected`; of `TESTLIB`: `input output answer`; of `KATTIS`: `input answer feedback/`.
 */
export type Interactor = Checker;

/** What to run. Either `language` with `source` or `files`, to 10 MiB in all, or `template` with `command`. */
export type Program = {
  /** A name of `templates.languages`. */
  language?: string;
  /** An id of `templates.list`. */
  template?: string;
  /** The program and its arguments, run in the directory of the files, without a shell. At most 1,024, 128 KiB in all. */
  command?: readonly string[];
  source?: string;
  files?: SourceFiles;
  /** Which of `files` to run. Default: the language's own, such as `main.py`, else that with a main method, else the first. */
  entrypoint?: string;
  /** Added to the compiler's arguments. At most 64. Default: none. */
  compilerOptions?: readonly string[];
  /** Of the program. At most 1,024, 128 KiB in all. Default: none. */
  arguments?: readonly string[];
  /** Of the program, not of its compiler. At most 128, names `[A-Za-z_][A-Za-z0-9_]*`, 32 KiB in all. Default: none. */
  environment?: Readonly<Record<string, string>>;
  /** To 10 MiB. Default: empty. */
  stdin?: string;
  /** The verdict says whether standard output matched. Default: exit code 0 is enough. */
  expectedOutput?: string;
  /**
   * How output is held against what was expected: equal but for blanks at the ends of lines and blank lines at the end, byte for byte,
   * word by word, or word by word with numbers that may differ by a tolerance. Default `TRAILING_SPACE`.
   */
  comparison?: 'TRAILING_SPACE' | 'EXACT' | 'TOKENS' | 'FLOAT';
  /** Capital and small letters are the same, whatever the comparison. Default false. */
  caseInsensitive?: boolean;
  /** Of `FLOAT`: how far numbers may be apart. From 0 to 1e9. Default 1e-6, or 0 where only the relative tolerance is set. */
  floatAbsoluteTolerance?: number;
  /** Of `FLOAT`: the same, as a part of the expected number. From 0 to 1. Default 1e-6, or 0 where only the absolute one is set. */
  floatRelativeTolerance?: number;
  /** @deprecated Sets both tolerances, where neither is set by itself. Above 0, at most 1. */
  floatTolerance?: number;
  /** Of the run. */
  limits?: ResourceLimits;
  /** Of the compile step: wall time, CPU time and output alone. Default 30 s, 30 s, 1 MiB. */
  compileLimits?: ResourceLimits;
  /** Fresh namespaces in a sandbox of the organisation, or a sandbox of its own. Default: what is offered, `CELL` first. */
  isolation?: 'CELL' | 'SANDBOX';
  /**
   * Instead of `stdin` and `expectedOutput`: each is run by itself, after one compile step. At most 100, 10 MiB in all, and an hour in
   * all by their time limits.
   */
  testCases?: readonly TestCase[];
  /** The id of a test set, instead of the test cases and of all that says how they are judged. */
  testSet?: string;
  /** Points of test cases that are earned together. At most 100. Default: none. */
  groups?: readonly TestGroup[];
  /**
   * Runs at most this many test cases side by side, as far as there is room, with the same results in the same order; `stream` runs them
   * one after the other. 1 to 16, default 1.
   */
  parallelism?: number;
  /** Runs no test case after one that was not accepted. Default false. */
  stopAtFirstFailure?: boolean;
  /** Decides instead of `comparison`. */
  checker?: Checker;
  /** Talks with the program, instead of a checker and a comparison. */
  interactor?: Interactor;
  /** Keeps the first 64 KiB of the talk with an interactor, for `output('transcript')` of a Job. Default false. */
  keepTranscript?: boolean;
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
  'caseInsensitive',
  'floatAbsoluteTolerance',
  'floatRelativeTolerance',
  'floatTolerance',
  'limits',
  'compileLimits',
  'isolation',
  'testCases',
  'testSet',
  'groups',
  'parallelism',
  'stopAtFirstFailure',
  'checker',
  'interactor',
  'keepTranscript',
];

export type Execution = Omit<
  ExecutionMessage,
  'state' | 'verdict' | 'exitCode' | 'signal' | 'usage' | 'compile' | 'cases' | 'groups' | 'isolation'
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
  /** One for each group, in their order. */
  groups: GroupResult[];
};

type Ended = { exitCode: number | null; signal: string | null; usage: ResourceUsage | undefined };
export type CompileResult = Omit<CompileResultMessage, keyof Ended> & Ended;
export type CaseResult = Omit<CaseResultMessage, keyof Ended | 'verdict'> & Ended & { verdict: Verdict | undefined };
/** The verdict is undefined where no case of it was run, or the others were skipped. */
export type GroupResult = Omit<GroupResultMessage, 'verdict'> & { verdict: Verdict | undefined };

export function toRequest(program: Program): RunCodeRequest {
  refuseOthers(program, PROGRAM_OPTIONS);
  const {
    files,
    limits,
    compileLimits,
    testCases = [],
    groups = [],
    checker,
    interactor,
    comparison,
    isolation,
    ...rest
  } = program;
  return RunCodeRequest.create({
    ...(rest as Partial<RunCodeRequest>),
    files: toFiles(files),
    limits: toLimits(limits),
    compileLimits: toLimits(compileLimits),
    comparison: (comparison ?? 'COMPARISON_UNSPECIFIED') as Comparison,
    isolation: (isolation ?? 'ISOLATION_UNSPECIFIED') as Isolation,
    testCases: testCases.map(toCase),
    groups: groups.map(toGroup),
    checker: checker && toChecker(checker),
    interactor: interactor && toChecker(interactor),
  });
}

export function toCase(testCase: TestCase): TestCaseMessage {
  refuseOthers(testCase, [
    'name',
    'stdin',
    'stdinBlob',
    'expectedOutput',
    'expectedOutputBlob',
    'limits',
    'group',
    'points',
  ]);
  return TestCaseMessage.create({ ...testCase, limits: toLimits(testCase.limits) });
}

export function toGroup(group: TestGroup): TestGroupMessage {
  refuseOthers(group, ['name', 'points', 'aggregation', 'onFailure', 'dependsOn']);
  return TestGroupMessage.create({ ...group, dependsOn: [...(group.dependsOn ?? [])] });
}

export function toChecker(checker: Checker): CheckerMessage {
  refuseOthers(checker, [
    'language',
    'source',
    'files',
    'entrypoint',
    'wallTime',
    'wallTimeMs',
    'protocol',
    'arguments',
  ]);
  const { language, source = '', files, entrypoint = '', protocol = 'PROTOCOL_UNSPECIFIED' } = checker;
  const wallTime = readLimit(checker, 'wallTime');
  return {
    language,
    source,
    files: toFiles(files),
    entrypoint,
    wallTime,
    protocol,
    arguments: [...(checker.arguments ?? [])],
  };
}

function toFiles(files: SourceFiles = {}): SourceFileMessage[] {
  return Object.entries(files).map(([name, content]) => ({ name, content: toContent(content) }));
}

function toContent(content: SourceFiles[string]): SourceFileMessage['content'] {
  if (typeof content === 'string') return { $case: 'text', value: content };
  if (content instanceof Uint8Array) return { $case: 'data', value: content };
  refuseOthers(content, ['blob']);
  return { $case: 'blob', value: content.blob };
}

export function toExecution({
  isolation: _,
  compile,
  cases,
  groups,
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
    groups: groups.map((result) => ({ ...result, verdict: known(result.verdict) })),
  };
}

function toEnded({ exitCode, signal, usage }: Pick<CompileResultMessage, 'exitCode' | 'signal' | 'usage'>): Ended {
  return { exitCode: exitCode ?? null, signal: signal || null, usage: toUsage(usage) };
}

function known(verdict: Verdict): Verdict | undefined {
  return verdict === 'VERDICT_UNSPECIFIED' ? undefined : verdict;
}
