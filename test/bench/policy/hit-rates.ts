import type { LogFacts } from '../../../src/replay/log-facts.js';
import type { Trace } from '../../../src/traces/trace.js';
import { kept } from './kept.js';
import { replayed, tierOf } from './setting.js';

export interface HitRates {
  readonly lru: number;
  /** Decayed LFU, its half-life tuned on the first half of the log. */
  readonly lfu: number;
  readonly belady: number;
}

/** Prefix hit rates in the second half of a log, one tier of so many blocks; computed once and kept. */
export function knownHitRates(log: string, trace: Trace, facts: LogFacts, blocks: number): HitRates {
  return kept(`rates ${log} ${trace.requests} ${trace.blocks.length} ${blocks}`, () => {
    const rate = (policy: string) => hitRate(policy, trace, facts, blocks);
    return { lru: rate('lru'), lfu: rate('lfu'), belady: rate('belady') };
  });
}

export function hitRate(policy: string, trace: Trace, facts: LogFacts, blocks: number): number {
  return replayed(policy, { trace, facts, tiers: [tierOf('dram', blocks)] }).prefixHitRate;
}
