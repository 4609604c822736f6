import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { readCatalog } from '#libs/catalog/catalog.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';

const HERE = import.meta.dirname;
const { languages } = readCatalog(join(HERE, '../../deploy/images/catalog.json'));
const NOT_LANGUAGES = ['hello', 'expected', 'input'];

/** Whose hello world is `main` with this ending, or `Main` for Java; that of others is with their other programs. */
const LANGUAGE_OF: Record<string, string> = {
  '.py': 'python',
  '.js': 'javascript',
  '.ts': 'typescript',
  '.sh': 'bash',
  '.c': 'c',
  '.cpp': 'cpp',
  '.go': 'go',
  '.java': 'java',
  '.rb': 'ruby',
  '.pl': 'perl',
  '.php': 'php',
  '.lua': 'lua',
  '.rs': 'rust',
  '.kt': 'kotlin',
  '.scala': 'scala',
  '.clj': 'clojure',
  '.cs': 'csharp',
  '.pas': 'pascal',
  '.adb': 'ada',
  '.f90': 'fortran',
  '.nim': 'nim',
  '.awk': 'awk',
  // Its other ending, .pl, is Perl's too.
  '.prolog': 'prolog',
  '.erl': 'erlang',
  '.exs': 'elixir',
  '.sql': 'sqlite',
  '.hs': 'haskell',
  '.ml': 'ocaml',
  '.rkt': 'racket',
  '.R': 'r',
  '.m': 'octave',
};

/** Implementations of a language that another one is named after: they run its programs. */
const DIALECTS: Record<string, { of: string; without?: string[] }> = {
  pypy: { of: 'python' },
  luajit: { of: 'lua', without: ['hello', 'input', 'unicode', 'n-body', 'sigsegv', 'out-of-memory'] },
  'c-clang': { of: 'c' },
  'cpp-clang': { of: 'cpp' },
};

/** Languages of these templates run only hello world and one more program where there is no time for all. */
const BRIEFLY: readonly string[] = ['scripting', 'native'];
const BRIEF = ['hello', 'input'];

/** What programs of these names read from standard input. */
const INPUTS: Record<string, string> = {
  input: 'numbers.txt',
  'k-nucleotide': 'sequences.txt',
  patterns: 'sequences.txt',
  'reverse-complement': 'sequences.txt',
  unicode: 'greetings.txt',
  'word-count': 'text.txt',
};

export type Program = {
  language: string;
  /** What it does, such as `n-body`: the same name in every language has the same input and output. */
  name: string;
  /** Where its files are, below this directory. */
  directory: string;
  files: { name: string; text: string }[];
  entrypoint: string;
  stdin: string;
  /** Its standard output. */
  expected: string;
  /** What comes of it. */
  verdict: Verdict;
  /** What ends it, where that is a signal it sends itself. */
  signal: string | undefined;
};

/** What a program is stopped by that would go too far. Times in seconds. */
export type Limits = { cpuTime: number; wallTime: number; memoryBytes?: number; outputBytes?: number };

/** Programs that run into a limit, by name: the verdict of each in every language, and the limits it is run with. */
export const EXCESSES: Record<string, { verdict: Verdict; limits: Limits }> = {
  spin: { verdict: 'CPU_TIME_EXCEEDED', limits: { cpuTime: 1, wallTime: 60 } },
  sleep: { verdict: 'WALL_TIME_EXCEEDED', limits: { cpuTime: 10, wallTime: 2 } },
  // Grows bit by bit, and writes to all that it has: it is stopped only by a limit that is enforced.
  hog: {
    verdict: 'MEMORY_EXCEEDED',
    limits: { cpuTime: 20, wallTime: 60, memoryBytes: 512 * 1024 * 1024 },
  },
  flood: { verdict: 'OUTPUT_EXCEEDED', limits: { cpuTime: 20, wallTime: 20, outputBytes: 64 * 1024 } },
};

/** Programs that fail with words; everything else is accepted. */
const FAILING = ['compile-error', 'runtime-error', 'out-of-memory'];

/** Programs that print nothing before they fail. `out-of-memory` asks for more at once than there can be, and uses none of it. */
const SILENT = ['compile-error', 'out-of-memory'];

/** A program is named after the signal that it ends itself by. */
const SIGNAL = /^sig[a-z]+$/;

/** One file, or a directory whose entry point is called main. */
const written: Program[] = [
  ...filesBelow(join(HERE, 'hello')).map((file) => describe(languageOf(file), 'hello', 'hello', [file])),
  ...directories(HERE)
    .filter((name) => !NOT_LANGUAGES.includes(name))
    .flatMap(programsIn),
];

const programs: Program[] = [
  ...written,
  ...Object.entries(DIALECTS).flatMap(([language, { of, without = [] }]) =>
    written
      .filter((program) => program.language === of && !without.includes(program.name))
      .map((program) => ({ ...program, language })),
  ),
];

/** Every program that ends by itself. */
export const corpus = programs.filter(({ name }) => !EXCESSES[name]);

/** Every program that runs into a limit. */
export const excesses = programs.filter(({ name }) => EXCESSES[name]);

/** Whether a program is run wherever all languages are. */
export function isUsual({ language, name }: Pick<Program, 'language' | 'name'>): boolean {
  return BRIEF.includes(name) || !BRIEFLY.includes(languages.get(language)?.template ?? '');
}

function programsIn(language: string): Program[] {
  const directory = join(HERE, language);
  return readdirSync(directory, { withFileTypes: true }).map((entry) =>
    entry.isDirectory()
      ? describe(language, entry.name, join(language, entry.name), filesBelow(join(directory, entry.name)))
      : describe(language, nameOf(entry.name), language, [entry.name]),
  );
}

function describe(language: string, name: string, directory: string, names: string[]): Program {
  const entrypoint = names.find((file) => /^main\./i.test(file)) ?? names[0];
  if (!entrypoint) throw new Error(`${directory} has no file`);
  const input = INPUTS[name];
  const signal = SIGNAL.test(name) ? name.toUpperCase() : undefined;
  const silent = EXCESSES[name] || signal || SILENT.includes(name);
  return {
    language,
    name,
    directory,
    files: names.map((file) => ({ name: file, text: read(directory, file) })),
    entrypoint,
    stdin: input ? read('input', input) : '',
    expected: silent ? '' : read('expected', `${name}.txt`),
    verdict: signal ? 'RUNTIME_ERROR' : verdictOf(language, name),
    signal,
  };
}

/** What a compiler would refuse, an interpreter finds when it runs. */
function verdictOf(language: string, name: string): Verdict {
  const excess = EXCESSES[name];
  if (excess) return excess.verdict;
  const { compile, check } = languages.get(language) ?? {};
  if (name === 'compile-error' && (compile || check)) return 'COMPILE_ERROR';
  return FAILING.includes(name) ? 'RUNTIME_ERROR' : 'ACCEPTED';
}

function languageOf(file: string): string {
  const language = LANGUAGE_OF[extname(file)];
  if (!language) throw new Error(`no language is known by ${file}`);
  return language;
}

/** `n_body.py`, `n-body.ts` and `NBody.java` are all n-body. */
function nameOf(file: string): string {
  const stem = file.replace(/\.\w+$/, '');
  return stem
    .replace(/(?<=[a-z])(?=[A-Z])/g, '-')
    .replaceAll('_', '-')
    .toLowerCase();
}

function directories(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

function read(...path: string[]): string {
  return readFileSync(join(HERE, ...path), 'utf8');
}
