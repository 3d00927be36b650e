import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spansOf } from '../../src/traces/spans.js';
import type { Trace } from '../../src/traces/trace.js';
import { bundledLog, traceOf, treeLogs } from './logs.js';

/** The blocks of every request, put together from its spans. */
function blocksFromSpans(trace: Trace): number[] {
  const { spans, offsets, firstBlock } = spansOf(trace);
  const blocks: number[] = [];
  for (let r = 0; r < trace.requests; r++) {
    expect(blocks.length).toBe(trace.blockOffsets[r]);
    for (const span of spans.subarray(offsets[r], offsets[r + 1]))
      for (let block = firstBlock[span]!; block < firstBlock[span + 1]!; block++) blocks.push(block);
  }
  return blocks;
}

/** Requests that use ids in any order, also one twice. */
const anyLogs = fc
  .array(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 6 }), { minLength: 1, maxLength: 12 })
  .map((requests) => traceOf(requests.map((ids) => ({ blocks: ids.map((id) => `b${id}`) }))));

describe('spans', () => {
  it('put together are the blocks of every request', () => {
    fc.assert(
      fc.property(fc.oneof(treeLogs, anyLogs), (trace) => {
        expect(blocksFromSpans(trace)).toEqual([...trace.blocks]);
      }),
    );
  });

  it('are chained where no block has two different blocks before it', () => {
    fc.assert(
      fc.property(fc.oneof(treeLogs, anyLogs), (trace) => {
        const before = new Map<number, Set<number>>();
        for (let r = 0; r < trace.requests; r++)
          for (let k = trace.blockOffsets[r]!; k < trace.blockOffsets[r + 1]!; k++) {
            const block = trace.blocks[k]!;
            if (!before.has(block)) before.set(block, new Set());
            before.get(block)!.add(k === trace.blockOffsets[r] ? -1 : trace.blocks[k - 1]!);
          }
        expect(spansOf(trace).chained).toBe([...before.values()].every((set) => set.size === 1));
      }),
    );
  });

  it('are as long as requests allow', () => {
    const { spans, firstBlock } = spansOf(
      traceOf([
        { blocks: ['a', 'b', 'c', 'd'] },
        { blocks: ['a', 'b', 'x'] },
        { blocks: ['a', 'b', 'c', 'd', 'e'] },
      ]),
    );
    expect([...firstBlock]).toEqual([0, 2, 4, 5, 6]);
    expect([...spans]).toEqual([0, 1, 0, 2, 0, 1, 3]);
  });

  it('are several times fewer than blocks in a real log', async () => {
    const trace = await bundledLog();
    expect(spansOf(trace).spans.length).toBeLessThan(trace.blocks.length / 4);
  });

  it('are single documents where those come in any order', () => {
    const trace = traceOf([{ documents: { a: 5, b: 7 } }, { documents: { a: 5, b: 7 } }], 'documents');
    expect(blocksFromSpans(trace)).toEqual([0, 1, 0, 1]);
    expect([...spansOf(trace).firstBlock]).toEqual([0, 1, 2]);
    expect(spansOf(trace).chained).toBe(false);
  });
});
