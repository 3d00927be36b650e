import { describe, expect, it } from 'vitest';
import type { MethodRow } from '../../src/formats/methods.js';
import { bestWithin, contextTable } from '../../src/report/context-table.js';
import type { Terminal } from '../../src/report/terminal.js';

const row = (context: string, method: string, compressionRatio: number, quality: number): MethodRow => ({
  ...{ context, method, compressionRatio, quality, fullBytes: 1000 },
  storedBytes: 1000 * (1 - compressionRatio) + 30,
});

describe('how contexts differ', () => {
  const rows = [
    row('a', 'int8', 0.5, 0.9),
    row('a', 'drop', 0.5, 0.95),
    row('a', 'drop', 0.9, 0.2),
    row('b', 'int8', 0.5, 0.9),
    row('b', 'drop', 0.5, 0.3),
    row('*', 'drop', 0.5, 0.6),
  ];
  const of = (context: string) => rows.filter((each) => each.context === context);

  it('takes the best form that is small enough, scales and offsets allowed for', () => {
    expect(bestWithin(of('a'), 0.5)).toMatchObject({ method: 'drop', compressionRatio: 0.5 });
    expect(bestWithin(of('b'), 0.5)).toMatchObject({ method: 'int8' });
    expect(bestWithin(of('a'), 0.1)).toMatchObject({ compressionRatio: 0.9 });
    expect(bestWithin(of('b'), 0.1)).toBeUndefined();
  });

  it('lists contexts, not what is pooled over them, and nothing for one alone', () => {
    const tables: string[][][] = [];
    const terminal = { table: (_: unknown, body: string[][]) => tables.push(body) } as unknown as Terminal;
    contextTable(terminal, rows);
    contextTable(terminal, of('a'));
    expect(tables).toEqual([
      [
        ['a', 'drop@0.5 0.95', 'drop@0.9 0.20', 'drop@0.9 0.20'],
        ['b', 'int8@0.5 0.90', '–', '–'],
      ],
    ]);
  });
});
