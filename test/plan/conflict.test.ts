import { describe, expect, it } from 'vitest';
import { InfeasibleError } from '../../src/plan/infeasible.js';
import { type PlanRequest, planContexts } from '../../src/plan/plan-contexts.js';
import { classRows, randomFrom, TEST_MODEL, tier } from '../support/instances.js';

const GB = 1e9;

/** Contexts of 1 GB each, some pinned to dram. */
function requestWith(pinned: number, changes: Partial<PlanRequest> = {}): PlanRequest {
  const contexts = 40;
  const ones = () => new Float64Array(contexts).fill(1);
  return {
    demand: {
      contexts,
      ids: Array.from({ length: contexts }, (_, i) => `c${i}`),
      tokens: ones().map(() => 7629),
      startTokens: new Float64Array(contexts),
      fullBytes: ones().map(() => GB),
      accesses: ones(),
      requestShare: ones(),
      parents: new Int32Array(contexts).fill(-1),
      classOf: new Int32Array(contexts),
      classes: ['class-0'],
      tenantOf: new Int32Array(contexts).fill(-1),
      tenants: [],
      pins: new Map(Array.from({ length: pinned }, (_, i) => [3 * i, { tier: 'dram', method: 'none' }])),
      periodSeconds: 3600,
    },
    tiers: [tier('dram', 3.5 * GB, 20 * GB), tier('ssd', 18 * GB, 2 * GB)],
    model: TEST_MODEL,
    methods: classRows(1, 1, [0.5], randomFrom(1)),
    alpha: 1,
    ...changes,
  };
}

async function messageOf(request: PlanRequest): Promise<string> {
  try {
    await planContexts(request);
  } catch (error) {
    expect(error).toBeInstanceOf(InfeasibleError);
    return (error as Error).message;
  }
  throw new Error('a plan was found');
}

describe('demands that contradict each other', () => {
  it('are named, and no more of them than it takes', async () => {
    const message = await messageOf(requestWith(10));
    // Three of the pinned gigabytes fit, four do not.
    expect(message.match(/is pinned to dram/g)).toHaveLength(4);
    expect(message).toMatch(/dram holds 3\.50 GB/);
    expect(message).not.toMatch(/ssd/);
  });

  it('leave what has nothing to do with it alone', async () => {
    const message = await messageOf(requestWith(2, { forbidden: ['recompute'], minQuality: 0.999999 }));
    expect(message).toMatch(/nothing may be recomputed/);
    expect(message).toMatch(/every context has quality 0.999999 at least/);
    expect(message).toMatch(/ssd holds 18\.0 GB/);
    expect(message).not.toMatch(/is pinned/);
  });

  it('come with what it is enough to give up', async () => {
    // With four pins any one of them is; with ten only the tier's size is.
    expect(await messageOf(requestWith(4))).toMatch(
      /Give up or loosen one of them; every other demand can be met\.$/,
    );
    expect(await messageOf(requestWith(10))).toMatch(
      /Give up or loosen this one, .*: dram holds 3\.50 GB\.$/,
    );
  });

  it('are said to be impossible where that is proved', async () => {
    expect(await messageOf(requestWith(4))).toMatch(/^No plan keeps all of these together: /);
  });

  it('are not made up where a greedy ends without a plan', async () => {
    // What loses least goes down first: 6, 6 and 4 GB, which is more than ssd holds.
    const { demand, ...request } = requestWith(0, { forbidden: ['recompute'] });
    const sizes = [6, 6, 5, 5, 4, 4];
    const request6 = {
      ...request,
      methods: [],
      tiers: [tier('dram', 15 * GB, 20 * GB), tier('ssd', 15 * GB, 2 * GB)],
      demand: {
        ...demand,
        contexts: 6,
        fullBytes: Float64Array.from(sizes, (size) => size * GB),
        accesses: Float64Array.from([1, 1.1, 8, 9, 2, 7]),
      },
    };
    expect((await planContexts(request6)).header.summary.contexts).toBe(6);
    expect(await messageOf({ ...request6, solver: 'greedy' })).toMatch(
      /^Solver greedy ends without a plan .* Take --solver dual\.$/,
    );
  });

  it('are told of a pinned form below a floor', async () => {
    const request = requestWith(0);
    const pins = new Map([[5, { tier: 'ssd', method: 'method-0' }]]);
    const message = await messageOf({
      ...request,
      demand: { ...request.demand, pins },
      minQuality: 0.999999,
    });
    expect(message).toMatch(/every context has quality/);
    expect(message).toMatch(/context c5 .* is pinned to ssd as method-0/);
    expect(message).not.toMatch(/holds/);
  });
});
