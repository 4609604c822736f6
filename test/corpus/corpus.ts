import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const HERE = import.meta.dirname;
const NOT_LANGUAGES = ['hello', 'expected', 'input'];

/** Whose hello world is `main` with this ending, or `Main` for Java. */
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
};

/** What benchmarks read from standard input. */
const INPUTS: Record<string, string> = {
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
  files: { name: string; text: string }[];
  entrypoint: string;
  stdin: string;
  expected: string;
};

/** Every program: one file, or a directory whose entry point is called main. Hello world comes first. */
export const corpus: Program[] = [
  ...filesBelow(join(HERE, 'hello')).map((file) => describe(languageOf(file), 'hello', 'hello', [file])),
  ...directories(HERE)
    .filter((name) => !NOT_LANGUAGES.includes(name))
    .flatMap(programsIn),
];

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
  return {
    language,
    name,
    files: names.map((file) => ({ name: file, text: read(directory, file) })),
    entrypoint,
    stdin: input ? read('input', input) : '',
    expected: read('expected', `${name}.txt`),
  };
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
