import { describe, expect, it } from 'vitest';
import { planeChart, sparkline } from '../../src/report/chart.js';
import { fittingTable } from '../../src/report/table-text.js';

describe('sparkline', () => {
  it('runs from the lowest to the highest block', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], false)).toBe('▁▂▃▄▅▆▇█');
    expect(sparkline([1, 1, 1], false)).toBe('▁▁▁');
    expect(sparkline([], false)).toBe('');
    expect(sparkline([0, Number.NaN, 1], true)).toBe('_ #');
  });
});

describe('planeChart', () => {
  it('puts the ends of both axes where the extreme points are, within the width', () => {
    const text = planeChart(
      [
        { x: 0, y: 10 },
        { x: 100, y: 0, mark: 'K' },
      ],
      { width: 30, height: 4, showX: (x) => `${x} GB`, showY: (y) => `${y} ms` },
      true,
    );
    const lines = text.split('\n');
    expect(lines[0]).toBe('10 ms |*');
    expect(lines[3]!.at(-1)).toBe('K');
    expect(lines.at(-1)).toMatch(/^ {7}0 GB +100 GB$/);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(30);
  });
});

describe('a table on a narrow terminal', () => {
  const head = ['policy', 'mean TTFT', 'note'];
  const rows = [['lru', '305 ms', 'x'.repeat(20)]];
  it('is a table where it fits or nobody reads, else a block per row', () => {
    expect(fittingTable(head, rows, 80)).toContain('─');
    expect(fittingTable(head, rows, undefined)).toContain('─');
    const narrow = fittingTable(head, rows, 26);
    expect(narrow).toBe(`lru\n  mean TTFT  305 ms\n  note       ${'x'.repeat(20)}`);
  });
});
