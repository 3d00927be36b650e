/** Eighths of a line's height; with TERM=dumb or a plain locale the caller passes `ascii`. */
const BLOCKS = '▁▂▃▄▅▆▇█';
const ASCII_LEVELS = '_.-=*#';

/** Whether the terminal can show block characters. */
export function isPlain(env: NodeJS.ProcessEnv = process.env): boolean {
  return env.TERM === 'dumb' || env.LC_ALL === 'C';
}

/**
 * A small chart in one line: a character per value, the lowest at the bottom.
 * @param ascii only characters every terminal has.
 */
export function sparkline(values: readonly number[], ascii = isPlain()): string {
  const levels = ascii ? ASCII_LEVELS : BLOCKS;
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return '';
  const low = finite.reduce((a, b) => Math.min(a, b));
  const span = finite.reduce((a, b) => Math.max(a, b)) - low;
  return values
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      const height = span === 0 ? 0 : (value - low) / span;
      return levels[Math.round(height * (levels.length - 1))]!;
    })
    .join('');
}

/** A point of a terminal chart; `mark` is one character, `*` without it. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly mark?: string;
}

export interface ChartFrame {
  readonly width: number;
  readonly height: number;
  /** How an end of an axis is written. */
  readonly showX: (value: number) => string;
  readonly showY: (value: number) => string;
}

/**
 * Points on a plane in characters: capacity curves, the TTFT-quality plane. Later points win a shared cell.
 * @returns lines joined by line feeds; empty without points.
 */
export function planeChart(points: readonly ChartPoint[], frame: ChartFrame, ascii = isPlain()): string {
  if (points.length === 0) return '';
  const xs = range(points.map((point) => point.x));
  const ys = range(points.map((point) => point.y));
  const top = frame.showY(ys.high);
  const bottom = frame.showY(ys.low);
  const margin = Math.max(top.length, bottom.length);
  const width = Math.max(8, frame.width - margin - 2);
  const cells = Array.from({ length: frame.height }, () => new Array<string>(width).fill(' '));
  for (const { x, y, mark } of points) {
    const column = Math.round(((x - xs.low) / xs.span) * (width - 1));
    const row = frame.height - 1 - Math.round(((y - ys.low) / ys.span) * (frame.height - 1));
    cells[row]![column] = mark ?? '*';
  }
  const [side, corner, floor] = ascii ? ['|', '+', '-'] : ['│', '└', '─'];
  const lines = cells.map((line, row) => {
    const label = row === 0 ? top : row === frame.height - 1 ? bottom : '';
    return `${label.padStart(margin)} ${side}${line.join('')}`.trimEnd();
  });
  const left = frame.showX(xs.low);
  const right = frame.showX(xs.high);
  const gap = ' '.repeat(Math.max(1, width - left.length - right.length));
  return [
    ...lines,
    `${' '.repeat(margin)} ${corner}${floor!.repeat(width)}`,
    `${' '.repeat(margin + 2)}${left}${gap}${right}`,
  ].join('\n');
}

function range(values: readonly number[]): { low: number; high: number; span: number } {
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  return { low, high, span: high - low || 1 };
}
