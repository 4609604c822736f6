import { glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Table from 'cli-table3';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import ts from 'typescript';
import { ROOT } from '../host/root.ts';
import { wordsIn } from './words.ts';

/** Lines of a function that needs no reason for its length. */
const MAX_FUNCTION_LINES = 70;
/** A longer one says so above itself. */
const REASON = /Over 70 lines: \S/;
const MAX_FILES = 25;
const CODE = ['services', 'libs', 'deploy'];
const SHOWN = 5;

type Place = { where: string; lines: number };
type Findings = { functions: Place[]; thunks: string[]; words: string[] };

/**
 * Measures how the code is laid out and written: prints files in each folder, the longest files and functions, and fails on a
 * circle of imports, on a function over 70 lines that says no reason, on a thunk in the wiring of a service, and on a word of the
 * list in `words.ts`.
 */
export async function checkHouse(say: (line: string) => void): Promise<void> {
  const files = (
    await Array.fromAsync(
      glob(
        CODE.map((folder) => `${folder}/**/*.ts`),
        { cwd: ROOT, exclude: ['**/generated/**'] },
      ),
    )
  ).sort();
  const sources = await Promise.all(
    files.map(async (file) => ({ file, text: await readFile(join(ROOT, file), 'utf8') })),
  );
  const findings: Findings = { functions: [], thunks: [], words: [] };
  for (const { file, text } of sources) readSource(file, text, findings);
  const circles = await countCircles();
  const lengths = sources.map(({ file, text }) => ({ where: file, lines: text.split('\n').length }));
  say(folders(files.filter((file) => !isTest(file))));
  say(`longest files: ${longest(lengths.filter(({ where }) => !isTest(where)))}`);
  say(`longest functions: ${longest(findings.functions)}`);
  const unexplained = findings.functions.filter(({ lines }) => lines > MAX_FUNCTION_LINES);
  const counts = {
    'circles of imports': circles,
    'functions over 70 lines without a reason': unexplained.map(({ where, lines }) => `${where} (${lines})`),
    'thunks in wiring': findings.thunks,
    'words that say too little': findings.words,
  };
  for (const [name, found] of Object.entries(counts)) say([`${name}: ${found.length}`, ...found].join('\n  '));
  const broken = Object.entries(counts).filter(([, found]) => found.length > 0);
  if (broken.length > 0) throw new Error(broken.map(([name, found]) => `${found.length} ${name}`).join(', '));
}

function isTest(file: string): boolean {
  return /(\.test|-fixture)\.ts$/.test(file);
}

function readSource(file: string, text: string, findings: Findings): void {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  findings.words.push(...wordsIn(source));
  if (isTest(file)) return;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const place = placeOf(source, node);
      if (!hasReason(source, node)) findings.functions.push(place);
      if (/^services\/\w+\/main\.ts$/.test(file) && isThunk(node)) findings.thunks.push(place.where);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

function placeOf(source: ts.SourceFile, node: ts.Node): Place {
  const line = (at: number) => source.getLineAndCharacterOfPosition(at).line;
  const [first, last] = [line(node.getStart()), line(node.getEnd())];
  return { where: `${source.fileName}:${first + 1}`, lines: last - first + 1 };
}

/** The comment may stand above the statement that the function is part of. */
function hasReason(source: ts.SourceFile, node: ts.Node): boolean {
  for (let each: ts.Node = node; each.parent; each = each.parent) {
    const comments = source.text.slice(each.getFullStart(), each.getStart());
    if (REASON.test(comments)) return true;
    if (ts.isStatement(each)) return false;
  }
  return false;
}

/** A function that only hands over something which is made later: `() => pool`. */
function isThunk(node: ts.Node): boolean {
  return ts.isArrowFunction(node) && node.parameters.length === 0 && ts.isIdentifier(node.body);
}

async function countCircles(): Promise<string[]> {
  const rule = { name: 'no-circles', severity: 'error' as const, from: {}, to: { circular: true } };
  const { output } = await cruise(CODE, {
    baseDir: ROOT,
    ruleSet: { forbidden: [rule] },
    validate: true,
    tsPreCompilationDeps: true,
    tsConfig: { fileName: join(ROOT, 'tsconfig.json') },
    doNotFollow: { path: ['node_modules', '^\\.build'] },
  });
  const { violations } = (output as ICruiseResult).summary;
  return violations.map(({ from, to }) => `${from} -> ${to}`);
}

function folders(files: string[]): string {
  const table = new Table({ head: ['folder', 'files'], style: { head: [], border: [] } });
  const counts = Map.groupBy(files, dirname);
  for (const [folder, members] of counts) if (members.length > SHOWN) table.push([folder, members.length]);
  return `${table}\nfolders of more than ${MAX_FILES} files: ${[...counts].filter(([, members]) => members.length > MAX_FILES).length}`;
}

function longest(places: Place[]): string {
  const sorted = places.toSorted((a, b) => b.lines - a.lines).slice(0, SHOWN);
  return sorted.map(({ where, lines }) => `${where} ${lines}`).join(', ');
}

if (import.meta.main) await checkHouse((line) => process.stdout.write(`${line}\n`));
