import type { IBufferCell, Terminal } from '@xterm/headless';

const CELL = { width: 8.4, height: 18 };
const PADDING = 12;
const FONT = 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace';
const BACKGROUND = '#16181d';
const FOREGROUND = '#d8dee9';
/** The eight colours, and their bright ones. */
const PALETTE = ['#3b4252', '#bf616a', '#a3be8c', '#ebcb8b', '#81a1c1', '#b48ead', '#88c0d0', '#e5e9f0'];

type Run = { column: number; cells: number; text: string; style: string };

/** What a terminal shows, as a picture. */
export function svgOf(screen: Terminal, title: string): string {
  const { active } = screen.buffer;
  const lines = Array.from({ length: active.length }, (_, at) => runsOf(screen, at));
  const count = lines.findLastIndex((runs) => runs.some(({ text }) => text.trim())) + 1;
  const width = Math.ceil(screen.cols * CELL.width + 2 * PADDING);
  const height = count * CELL.height + 2 * PADDING;
  const texts = lines.slice(0, count).flatMap((runs, line) => runs.map((run) => toText(run, line)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" rx="6" fill="${BACKGROUND}"/>`,
    `<g font-family="${FONT}" font-size="14" fill="${FOREGROUND}" xml:space="preserve">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function toText({ column, cells, text, style }: Run, line: number): string {
  const x = (PADDING + column * CELL.width).toFixed(1);
  const y = PADDING + line * CELL.height + 13;
  const length = (cells * CELL.width).toFixed(1);
  return `<text x="${x}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs"${style}>${escaped(text)}</text>`;
}

/** Cells beside each other that look the same; blanks at the end are left out. */
function runsOf(screen: Terminal, line: number): Run[] {
  const found = screen.buffer.active.getLine(line)!;
  const runs: Run[] = [];
  for (let column = 0; column < screen.cols; column += 1) {
    const cell = found.getCell(column)!;
    if (cell.getWidth() === 0) continue;
    const [text, style] = [cell.getChars() || ' ', styleOf(cell)];
    const last = runs.at(-1);
    if (last?.style === style) Object.assign(last, { text: last.text + text, cells: last.cells + cell.getWidth() });
    else runs.push({ column, cells: cell.getWidth(), text, style });
  }
  const last = runs.at(-1);
  if (last) {
    const shown = last.text.trimEnd();
    Object.assign(last, { cells: last.cells - (last.text.length - shown.length), text: shown });
  }
  return runs.filter(({ text }) => text.trim());
}

function styleOf(cell: IBufferCell): string {
  const colour = cell.isFgPalette() ? PALETTE[cell.getFgColor() % 8] : undefined;
  return [
    colour ? ` fill="${colour}"` : '',
    cell.isBold() ? ' font-weight="bold"' : '',
    cell.isDim() ? ' opacity="0.6"' : '',
  ].join('');
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);
}
