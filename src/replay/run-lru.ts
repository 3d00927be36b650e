import type { Policy, PolicySetting } from './policy.js';

/**
 * LRU over exclusive tiers, request by request instead of block by block, with the very same outcome. It needs
 * chained ids and blocks of one size: then what a request used last and nobody used since is one run of its path,
 * its head goes where a later request uses it, its tail where room is needed. So every request has one run per
 * tier, runs are ordered by their request, and no list is kept: an order of eviction is a number that only grows.
 */
export class RunLru implements Policy {
  /** By block: the request that used it last, −1 before. */
  private readonly userOf: Int32Array;
  /**
   * Where a request's run is cut into tiers, in blocks from the head of its path. Layout: request · (tiers + 1) +
   * tier; what lies in a tier reaches from the tier's cut to the next one's.
   */
  private readonly cuts: Int32Array;
  /** By tier: no request before this one has a run there. */
  private readonly oldest: Int32Array;

  constructor(private readonly setting: PolicySetting) {
    const { trace, tiers } = setting;
    this.userOf = new Int32Array(trace.tokensOfBlock.length).fill(-1);
    this.cuts = new Int32Array(trace.requests * (tiers.length + 1));
    this.oldest = new Int32Array(tiers.length);
  }

  serve(request: number): void {
    const { userOf, cuts } = this;
    const { trace, store, tiers } = this.setting;
    const { blocks } = trace;
    const { tierOf } = store;
    const width = tiers.length + 1;
    const start = trace.blockOffsets[request]!;
    const end = trace.blockOffsets[request + 1]!;
    let k = start;
    while (k < end && tierOf[blocks[k]!]! >= 0) {
      const user = userOf[blocks[k]!]!;
      const kept = Math.min(end, start + cuts[user * width + tiers.length]!);
      const from = k;
      for (; k < kept && userOf[blocks[k]!] === user; k++) userOf[blocks[k]!] = request;
      this.takeFrom(user, start, from, k);
    }
    if (k < end) store.addEach(end - k, 0);
    for (; k < end; k++) {
      userOf[blocks[k]!] = request;
      tierOf[blocks[k]!] = 0;
    }
    cuts.fill(end - start, request * width + 1, (request + 1) * width);
    for (let tier = 0; tier < tiers.length; tier++) this.settle(tier);
  }

  /** The head of a user's run, at positions from `from` to `to` of the request that starts at `start`, goes up. */
  private takeFrom(user: number, start: number, from: number, to: number): void {
    const { cuts } = this;
    const { trace, store, tiers } = this.setting;
    const { tierOf } = store;
    const at = user * (tiers.length + 1);
    for (let tier = 1; tier < tiers.length; tier++) {
      const low = Math.max(from, start + cuts[at + tier]!);
      const high = Math.min(to, start + cuts[at + tier + 1]!);
      if (low >= high) continue;
      store.moveEach(high - low, tier, 0);
      for (let k = low; k < high; k++) tierOf[trace.blocks[k]!] = 0;
    }
    for (let cut = at; cut <= at + tiers.length; cut++) cuts[cut] = Math.max(cuts[cut]!, to - start);
  }

  /** What a tier has no room for falls into the next one, from the last for good. */
  private settle(tier: number): void {
    const { cuts, oldest } = this;
    const { trace, store, tiers } = this.setting;
    const { blocks, blockOffsets } = trace;
    const { tierOf } = store;
    const to = tier + 1 < tiers.length ? tier + 1 : -1;
    while (store.overflows(tier)) {
      const user = oldest[tier]!;
      const at = user * (tiers.length + 1) + tier;
      const from = cuts[at]!;
      const end = cuts[at + 1]!;
      if (from === end) {
        oldest[tier] = user + 1;
        continue;
      }
      const count = Math.min(end - from, store.excessOf(tier));
      if (to === -1) store.dropEach(count, tier);
      else store.moveEach(count, tier, to);
      const start = blockOffsets[user]!;
      for (let k = start + end - count; k < start + end; k++) tierOf[blocks[k]!] = to;
      cuts[at + 1] = end - count;
    }
  }
}
