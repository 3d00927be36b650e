import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/formats/model.js';
import { segmentsOf } from '../../src/traces/segments.js';
import { bundledLog, traceOf } from './logs.js';

const model: Model = {
  name: 'test',
  kvBytesPerToken: 100,
  prefill: { secondsPerToken: 1e-4, secondsPerTokenSquared: 0 },
};

describe('segments of a log', () => {
  // Three requests share blocks a b; two of them go on with c, one of those twice as long as the other.
  const trace = traceOf([
    { blocks: ['a', 'b', 'c'] },
    { blocks: ['a', 'b', 'd'] },
    { blocks: ['a', 'b', 'c', 'e'] },
  ]);

  it('joins blocks that are used equally often, and leaves out what was used once', () => {
    const demand = segmentsOf(trace, { model });
    expect(demand.ids).toEqual(['b', 'c']);
    expect([...demand.accesses]).toEqual([2, 1]);
    expect([...demand.parents]).toEqual([-1, 0]);
    expect([...demand.tokens]).toEqual([1024, 512]);
    expect([...demand.startTokens]).toEqual([0, 1024]);
    expect([...demand.fullBytes]).toEqual([102_400, 51_200]);
    expect([...demand.segmentOfBlock]).toEqual([0, 0, 1, -1, -1]);
  });

  it('shares a request among the segments it reuses', () => {
    const { requestShare } = segmentsOf(trace, { model });
    // b: alone in the second request, two of three blocks in the third. c: one of three.
    expect(requestShare[0]).toBeCloseTo((1 + 2 / 3) / 2, 12);
    expect(requestShare[1]).toBeCloseTo(1 / 3, 12);
  });

  it('looks at the history only', () => {
    const demand = segmentsOf(trace, { model, requests: 2 });
    expect(demand.ids).toEqual(['b']);
    expect([...demand.accesses]).toEqual([1]);
    expect(demand.periodSeconds).toBe(1);
    expect(segmentsOf(trace, { model, requests: 0 }).contexts).toBe(0);
  });

  it('weighs every reused token of a real log once', async () => {
    const log = await bundledLog();
    const demand = segmentsOf(log, { model });
    let shares = 0;
    for (let s = 0; s < demand.contexts; s++) shares += demand.accesses[s]! * demand.requestShare[s]!;
    const seen = new Uint8Array(log.tokensOfBlock.length);
    let reusing = 0;
    for (let r = 0; r < log.requests; r++) {
      if (seen[log.blocks[log.blockOffsets[r]!]!] === 1) reusing++;
      for (let k = log.blockOffsets[r]!; k < log.blockOffsets[r + 1]!; k++) seen[log.blocks[k]!] = 1;
    }
    expect(shares).toBeCloseTo(reusing, 6);
  });

  it('puts parents before children, with the tokens between them accounted for', async () => {
    const demand = segmentsOf(await bundledLog(), { model });
    for (let s = 0; s < demand.contexts; s++) {
      const parent = demand.parents[s]!;
      expect(parent).toBeLessThan(s);
      const start = parent === -1 ? 0 : demand.startTokens[parent]! + demand.tokens[parent]!;
      expect(demand.startTokens[s]).toBe(start);
      if (parent !== -1) expect(demand.accesses[parent]!).toBeGreaterThanOrEqual(demand.accesses[s]!);
    }
  });
});

describe('documents', () => {
  it('are contexts without parents; twice in one request counts once', () => {
    const trace = traceOf(
      [
        { documents: { x: 100, y: 50 } },
        { documents: { y: 50, z: 10 }, again: 'y' },
        { documents: { x: 100, y: 50 } },
      ],
      'documents',
    );
    const demand = segmentsOf(trace, { model });
    expect(demand.ids).toEqual(['x', 'y']);
    expect([...demand.accesses]).toEqual([1, 2]);
    expect([...demand.tokens]).toEqual([100, 50]);
    expect([...demand.parents]).toEqual([-1, -1]);
    expect(demand.requestShare[0]).toBeCloseTo(100 / 150, 12);
    expect(demand.requestShare[1]).toBeCloseTo((1 + 50 / 150) / 2, 12);
  });
});
