import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/** One figure: of a row and a panel, with a colour for those that stand in the same row. */
export type Dot = { row: string; panel: string; colour: string; value: number };

const ROW_HEIGHT = 18;
const PANEL_WIDTH = 230;
const POWERS = [0.01, 0.1, 1, 10, 100, 1_000, 10_000];

/**
 * An SVG of figures over logarithmic scales, which show ratios: the panels side by side, with the same rows in the order of the
 * first. `legend` says what the colours are.
 */
export async function drawDots(dots: readonly Dot[], legend: string): Promise<string> {
  const panels = [...new Set(dots.map(({ panel }) => panel))];
  const rows = [...new Set(dots.map(({ row }) => row))];
  const spec: TopLevelSpec = {
    background: 'white',
    padding: 12,
    hconcat: panels.map((panel, index) => ({
      data: { values: dots.filter((dot) => dot.panel === panel) },
      title: { text: panel, anchor: 'start', fontSize: 12 },
      width: PANEL_WIDTH,
      height: { step: ROW_HEIGHT },
      mark: { type: 'point', filled: true, size: 70, opacity: 0.9 },
      encoding: {
        y: {
          field: 'row',
          type: 'nominal',
          sort: rows,
          title: null,
          axis: { grid: true, labelLimit: 0, labelPadding: 8, labels: index === 0, ticks: false },
        },
        x: { field: 'value', type: 'quantitative', title: null, scale: { type: 'log' }, axis: { values: POWERS } },
        color: { field: 'colour', type: 'nominal', sort: null, title: legend },
      },
    })),
  };
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
