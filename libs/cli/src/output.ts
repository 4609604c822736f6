import { once } from 'node:events';
import { styleText } from 'node:util';
import { printable, printableJson } from './printable.ts';

export const FORMATS = ['table', 'json', 'jsonl', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** A column of a table: what it shows of a row, as text. */
export type Column<T> = readonly [head: string, cell: (row: T) => unknown];
type Style = Parameters<typeof styleText>[0];

const STYLES: Readonly<Record<string, Style>> = {
  RUNNING: 'green',
  ACCEPTED: 'green',
  DELIVERED: 'green',
  PENDING: 'yellow',
  QUEUED: 'yellow',
  STOPPED: 'dim',
  CANCELLED: 'dim',
};

/** Text in a style, where standard output is a terminal and NO_COLOR is not set. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream });
}

/** A state or a verdict in its colour. */
export function showState(state: string | undefined): string {
  return state ? styled(STYLES[state] ?? 'red', printable(state)) : '';
}

/** Writes to standard output or error as fast as it is read there; throws `signal.reason` once that is aborted. */
export async function write(stream: NodeJS.WriteStream, data: string | Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (stream.write(data)) return;
  try {
    await once(stream, 'drain', { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

export class Output {
  readonly #signal: AbortSignal;
  /** As asked for with `--output`. */
  readonly asked: Format | undefined;

  constructor(asked: Format | undefined, signal: AbortSignal) {
    this.asked = asked;
    this.#signal = signal;
  }

  /** Tables on a terminal, JSON elsewhere, unless something else was asked for. */
  get format(): Format {
    return this.asked ?? (process.stdout.isTTY ? 'table' : 'json');
  }

  print(text: string | Uint8Array): Promise<void> {
    return write(process.stdout, text, this.#signal);
  }

  /** One thing: on a terminal a line for each of `columns`, elsewhere the whole value. */
  async one<T extends object>(value: T, columns: readonly Column<T>[]): Promise<void> {
    if (this.format === 'table') return this.print(await records([value], columns));
    await this.data(value);
  }

  /** Several things: on a terminal a table of `columns`, elsewhere the whole values. Says so when there are more than `limit`. */
  async many<T extends object>(values: AsyncIterable<T>, columns: readonly Column<T>[], limit: number): Promise<void> {
    const rows: T[] = [];
    let more = false;
    for await (const value of values) {
      more = rows.length >= limit;
      if (more) break;
      if (this.format === 'jsonl') await this.line(value);
      rows.push(value);
    }
    if (this.format === 'table') await this.print(rows.length > 0 ? await table(rows, columns) : 'none\n');
    else if (this.format !== 'jsonl') await this.data(rows);
    if (more) process.stderr.write(`these are the first ${limit}; --limit shows more\n`);
  }

  /** A line of JSON. */
  line(value: object): Promise<void> {
    return this.print(`${printableJson(JSON.stringify(value))}\n`);
  }

  /** A value in the format, which for a table is JSON. */
  async data(value: object): Promise<void> {
    if (this.format === 'jsonl') return this.line(value);
    if (this.format !== 'yaml') return this.print(`${printableJson(JSON.stringify(value, null, 2))}\n`);
    const { toYaml } = await import('./yaml.ts');
    await this.print(toYaml(value));
  }
}

/** A table without borders; where the terminal is too narrow for it, a block for each row. */
async function table<T>(rows: readonly T[], columns: readonly Column<T>[]): Promise<string> {
  const [{ default: Table }, { default: widthOf }] = await Promise.all([import('cli-table3'), import('string-width')]);
  const cells = new Table({
    head: columns.map(([head]) => styled('bold', head)),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2, compact: true },
    chars: NO_BORDERS,
  });
  for (const row of rows) cells.push(columns.map(([, cell]) => show(cell(row))));
  const lines = cells.toString().split('\n').map(withoutEnd);
  const width = process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
  if (lines.every((line) => widthOf(line) <= width)) return `${lines.join('\n')}\n`;
  return records(rows, columns);
}

async function records<T>(rows: readonly T[], columns: readonly Column<T>[]): Promise<string> {
  const longest = Math.max(...columns.map(([head]) => head.length));
  const blocks = rows.map((row) =>
    columns.map(([head, cell]) => withoutEnd(`${styled('bold', head.padEnd(longest))}  ${show(cell(row))}`)).join('\n'),
  );
  return `${blocks.join('\n\n')}\n`;
}

const NO_BORDERS = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .concat('middle')
    .map((name) => [name, '']),
);

function withoutEnd(line: string): string {
  return line.trimEnd();
}

/** Cells that were styled here are text already; all else may be of somebody else. */
function show(value: unknown): string {
  if (value === undefined || value === null || value === '') return '';
  if (value instanceof Styled) return value.text;
  if (value instanceof Date) return value.toISOString().replace(/\.\d+Z$/, 'Z');
  return printable(String(value));
}

/** A cell that holds escape sequences of our own. */
export class Styled {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const state = (name: string | undefined) => new Styled(showState(name));
