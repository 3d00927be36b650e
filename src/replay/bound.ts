import { prefillSeconds, recomputeSeconds } from '../cost/prefill.js';
import { transferSeconds } from '../cost/transfer.js';
import type { Model } from '../formats/model.js';
import type { Tier, Transfer } from '../formats/tiers.js';
import { minimizeBound } from '../plan/dual.js';
import type { Lagrangian } from '../plan/lagrangian.js';
import { curveOfBlocks } from './compression.js';
import { type ReplaySetting, usableBytes } from './simulator.js';

/** The dual is close enough to its minimum at this share of what could be saved at all. */
const TOLERANCE = 1e-4;
const MOST_EVALUATIONS = 60;
/** A mean quality this near to 1 is 1. */
const LEAST_LOSS = 1e-9;

/**
 * What no policy can beat, clairvoyant or not, with compression and several tiers: the linear relaxation of
 * keeping, for every reuse, its blocks from the last use on. A reuse served from a tier has been in that tier or
 * in a faster one after every request in between (nothing moves up but by use), so it takes bytes × requests of
 * them; together they have capacity × requests. Prices on these sums make every reuse choose alone, as in
 * planning; any prices give a bound, the best come from the same cutting planes. Nothing waits, prefixes may
 * have holes, and a request is as good as the token-weighted mean of its parts: each makes the bound looser.
 */
export class ReplayBound {
  private readonly tiers: readonly Tier[];
  private readonly reuses: Reuses;
  private readonly slots: number;
  private readonly wholeSeconds: number;
  private readonly inputTokens: number;
  /** By mean quality: what has been asked for. */
  private readonly meanTtfts = new Map<number, number>();

  constructor(private readonly setting: ReplaySetting) {
    const { trace, warm, model } = setting;
    this.tiers = setting.tiers.filter((tier) => usableBytes(tier) > 0);
    this.reuses = reusesOf(setting, this.tiers);
    this.slots = trace.requests - warm;
    let seconds = 0;
    let tokens = 0;
    for (let r = warm; r < trace.requests; r++) {
      seconds += prefillSeconds(model, trace.inputTokens[r]!);
      tokens += trace.inputTokens[r]!;
    }
    this.wholeSeconds = seconds;
    this.inputTokens = tokens;
  }

  /** No policy serves a larger share of the input. */
  prefixHitRate(): number {
    if (this.inputTokens === 0) return 0;
    const { tokens } = this.reuses;
    return Math.min(1, this.maximise({ worths: tokens }) / this.inputTokens);
  }

  /** No policy of at least this mean quality has a smaller mean TTFT. */
  meanTtftSeconds(meanQuality: number): number {
    let seconds = this.meanTtfts.get(meanQuality);
    if (seconds === undefined) {
      seconds = this.leastMeanTtft(meanQuality);
      this.meanTtfts.set(meanQuality, seconds);
    }
    return seconds;
  }

  private leastMeanTtft(meanQuality: number): number {
    if (this.slots === 0) return 0;
    const loss = (1 - meanQuality) * this.slots;
    const saved =
      loss > LEAST_LOSS * this.slots
        ? this.maximise({ qualityLoss: loss })
        : this.maximise({ leastQuality: 1 });
    return Math.max(0, this.wholeSeconds - saved) / this.slots;
  }

  /** An upper bound on the sum over reuses of what each is worth. */
  private maximise(question: Question): number {
    const { slots, tiers } = this;
    const { qualityLoss } = question;
    const rowOfTier = tiers.map(() => -1);
    const limits: number[] = [];
    tiers.forEach((tier, t) => {
      if (Number.isFinite(usableBytes(tier))) rowOfTier[t] = limits.push(usableBytes(tier) * slots) - 1;
    });
    if (qualityLoss !== undefined) limits.push(qualityLoss);
    const prices = new Float64Array(limits.length);
    // Rows are in units of their limits.
    const lagrangian: Lagrangian = {
      limits: new Float64Array(limits.length).fill(1),
      choose: (scaled, use) => {
        for (let row = 0; row < limits.length; row++) prices[row] = scaled[row]! / limits[row]!;
        use.fill(0);
        const worth = this.chooseAll(question, rowOfTier, prices, use);
        for (let row = 0; row < limits.length; row++) use[row]! /= limits[row]!;
        return worth;
      },
    };
    return minimizeBound(lagrangian, {
      tolerance: TOLERANCE,
      baseline: 0,
      floor: -1,
      maxEvaluations: MOST_EVALUATIONS,
    }).bound;
  }

  /** Every reuse takes its best option at these prices, or none. */
  private chooseAll(
    { worths, qualityLoss, leastQuality = 0 }: Question,
    rowOfTier: readonly number[],
    prices: Float64Array,
    use: Float64Array,
  ): number {
    const { reuses, tiers } = this;
    const { compression, overlap = false } = this.setting;
    const { bytesFraction, quality, decompressSecondsPerByte } = compression;
    const levels = compression.levels.length;
    const lossRow = qualityLoss === undefined ? -1 : prices.length - 1;
    const lossPrice = lossRow < 0 ? 0 : prices[lossRow]!;
    const payers = cheapestUpTo(rowOfTier, prices);
    let total = 0;
    for (let i = 0; i < reuses.count; i++) {
      const bytes = reuses.bytes[i]!;
      const byteSlots = bytes * reuses.slots[i]!;
      const share = reuses.share[i]!;
      const first = reuses.curve[i]! * levels;
      const load = reuses.request[i]! * tiers.length;
      let most = 0;
      let bestWorth = 0;
      let bestTier = -1;
      let bestLevel = 0;
      for (let at = first; at < first + levels; at++) {
        if (quality[at]! < leastQuality) continue;
        const kept = bytesFraction[at]!;
        const loss = share * (1 - quality[at]!) * lossPrice;
        for (let t = 0; t < tiers.length; t++) {
          let worth: number;
          if (worths !== undefined) worth = worths[i]!;
          else if (overlap) worth = reuses.savedSeconds[i]!;
          else
            worth =
              reuses.savedSeconds[i]! -
              bytes * (kept * reuses.secondsPerByte[load + t]! + decompressSecondsPerByte[at]!);
          const payer = payers[t]!;
          const value = worth - loss - (payer < 0 ? 0 : byteSlots * kept * prices[payer]!);
          if (value > most) {
            most = value;
            bestWorth = worth;
            bestTier = t;
            bestLevel = at;
          }
        }
      }
      if (bestTier === -1) continue;
      total += bestWorth;
      const payer = payers[bestTier]!;
      if (payer >= 0) use[payer]! += byteSlots * bytesFraction[bestLevel]!;
      if (lossRow >= 0) use[lossRow]! += share * (1 - quality[bestLevel]!);
    }
    return total;
  }
}

/** What is maximised: seconds saved, or what each reuse is worth wherever it comes from. */
interface Question {
  /** By reuse. */
  readonly worths?: Float64Array;
  /** Sum over requests of quality that may be lost, above 0; no limit without it. */
  readonly qualityLoss?: number;
  readonly leastQuality?: number;
}

/** By tier: the row of the cheapest among it and the faster ones; −1 where one of them has room for everything. */
function cheapestUpTo(rowOfTier: readonly number[], prices: Float64Array): number[] {
  let cheapest: number | undefined;
  return rowOfTier.map((row) => {
    if (row === -1 || cheapest === undefined) cheapest = cheapest === -1 ? -1 : row;
    else if (cheapest !== -1 && prices[row]! < prices[cheapest]!) cheapest = row;
    return cheapest;
  });
}

/** Reuses of the scored requests, in columns: spans next to each other with one last use are one reuse. */
interface Reuses {
  count: number;
  readonly request: Int32Array;
  readonly curve: Int32Array;
  readonly tokens: Float64Array;
  readonly bytes: Float64Array;
  /** Requests after which it has to be kept, of the scored part. */
  readonly slots: Float64Array;
  /** Seconds of prefill that it saves. */
  readonly savedSeconds: Float64Array;
  /** Its share of what its request could reuse. */
  readonly share: Float64Array;
  /** Least seconds to load a byte, by request and tier. */
  readonly secondsPerByte: Float64Array;
}

function reusesOf({ trace, facts, model, warm }: ReplaySetting, tiers: readonly Tier[]): Reuses {
  const { unlimitedTokens } = facts;
  const { spans, offsets, firstBlock } = facts.spans;
  const curveOf = curveOfBlocks(trace);
  const { tokensOfBlock, blockTokens } = trace;
  // The block in which an input ends is a reuse of its own.
  const most = offsets[trace.requests]! - offsets[warm]! + trace.requests - warm;
  const reuses: Reuses = {
    count: 0,
    request: new Int32Array(most),
    curve: new Int32Array(most),
    tokens: new Float64Array(most),
    bytes: new Float64Array(most),
    slots: new Float64Array(most),
    savedSeconds: new Float64Array(most),
    share: new Float64Array(most),
    secondsPerByte: new Float64Array(trace.requests * tiers.length),
  };
  const prefix = trace.reuse === 'prefix';
  const sum = new ReuseSums(reuses, model);
  /** By span: the request that used it last, −1 before. */
  const lastUse = new Int32Array(firstBlock.length - 1).fill(-1);
  for (let r = 0; r < trace.requests; r++) {
    const end = offsets[r + 1]!;
    const unlimited = unlimitedTokens[r]!;
    let left = r < warm ? 0 : trace.inputTokens[r]!;
    let start = 0;
    let openLast = -1;
    let openCurve = -1;
    sum.begin(r);
    for (let i = offsets[r]!; i < end && left > 0; i++) {
      const span = spans[i]!;
      const last = lastUse[span]!;
      if (last === -1 && prefix) break;
      if (last === -1 || last === r) continue;
      // A document asked for twice in one request counts once.
      if (!prefix) lastUse[span] = r;
      const block = firstBlock[span]!;
      const curve = curveOf[block]!;
      const since = Math.max(last, warm);
      if (openLast === -1 || curve !== openCurve || since !== openLast) {
        sum.open(curve, since);
        openCurve = curve;
        openLast = since;
      }
      if (!prefix) {
        const tokens = Math.min(left, tokensOfBlock[block]!);
        // Documents may come anywhere: none saves more than at the end of all.
        sum.use(Math.max(0, unlimited - tokens), tokens, tokensOfBlock[block]!, unlimited);
        left -= tokens;
        continue;
      }
      const tokens = Math.min(left, (firstBlock[span + 1]! - block) * blockTokens);
      const part = tokens % blockTokens;
      if (tokens > part) sum.use(start, tokens - part, tokens - part, unlimited);
      start += tokens;
      left -= tokens;
      if (part === 0) continue;
      // All of a block is loaded, even where the input ends in its middle: that alone may not pay.
      if (tokens > part || sum.isUsed) sum.open(curve, since);
      sum.use(start - part, part, blockTokens, unlimited);
    }
    if (sum.requestBytes > 0) {
      for (let t = 0; t < tiers.length; t++)
        reuses.secondsPerByte[r * tiers.length + t] = leastSecondsPerByte(tiers[t]!.read, sum.requestBytes);
    }
    for (let i = offsets[r]!; i < end; i++) lastUse[spans[i]!] = r;
  }
  return reuses;
}

/** Adds up the reuses of one request after the other. */
class ReuseSums {
  /** What a request loads where all of it is kept. */
  requestBytes = 0;
  private request = 0;
  private at = -1;

  constructor(
    private readonly reuses: Reuses,
    private readonly model: Model,
  ) {}

  begin(request: number): void {
    this.request = request;
    this.requestBytes = 0;
  }

  /** What is used from here on is another reuse, kept since a request. */
  open(curve: number, since: number): void {
    const { reuses, request } = this;
    const at = reuses.count++;
    reuses.request[at] = request;
    reuses.curve[at] = curve;
    reuses.slots[at] = request - since;
    this.at = at;
  }

  /** Whether the open reuse has any tokens yet. */
  get isUsed(): boolean {
    return this.reuses.tokens[this.at]! > 0;
  }

  /** Adds tokens from a place in the input on; with them others of the same blocks are kept. */
  use(start: number, tokens: number, keptTokens: number, unlimitedTokens: number): void {
    const { reuses, model, at } = this;
    const bytes = keptTokens * model.kvBytesPerToken;
    reuses.tokens[at]! += tokens;
    reuses.bytes[at]! += bytes;
    reuses.savedSeconds[at]! += recomputeSeconds(model, start, tokens);
    reuses.share[at]! += tokens / unlimitedTokens;
    this.requestBytes += bytes;
  }
}

/** The least that a byte of a load of at most so many bytes takes. */
function leastSecondsPerByte(read: Transfer, bytes: number): number {
  let least = transferSeconds(read, bytes) / bytes;
  for (const point of read.table ?? [])
    if (point.bytes < bytes) least = Math.min(least, transferSeconds(read, point.bytes) / point.bytes);
  return least;
}
