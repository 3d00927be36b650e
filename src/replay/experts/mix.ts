import type { Trace } from '../../traces/trace.js';
import { HALF_LIVES } from '../half-life.js';
import { Aging } from './aging.js';
import { FeatureReader } from './features.js';
import { FrequencyShadow } from './frequency-shadow.js';
import { PriceShadow } from './price-shadow.js';
import { RecencyShadow } from './recency-shadow.js';
import type { RunTable } from './run-table.js';
import type { Shadow } from './shadow.js';
import { Worth } from './worth.js';

/** Horizons of the price experts, in requests. */
const HORIZONS = [10, 300];
/**
 * How often the leader is chosen, and by which share of its own hits a rival must be ahead of it; or by which share of
 * all input, where nearly everything is served and few hits more are all there is to be won.
 */
const CHOOSE_EVERY = 50;
const LEAD = 0.03;
const LEAD_OF_INPUT = 0.005;
/** The price of room is measured over this share of more room. */
const PRICE_STEP = 0.25;
/** Half-life of what is remembered of the experts' hits, in requests, and what is kept of it by the next one. */
const MEMORY_HALF_LIFE = 1000;
const KEPT = 2 ** (-1 / MEMORY_HALF_LIFE);

/** The experts of one cache size, and which of them is followed. */
export class Mix {
  readonly experts: readonly Shadow[];
  leader: Shadow;
  /** Called after another expert has taken the lead, with the one that had it before. */
  onSwitch: ((before: Shadow) => void) | undefined;
  /** By expert: tokens it has served, decayed. */
  private readonly scores: Float64Array;
  /** Tokens that requests came with, decayed. */
  private inputTokens = 0;
  /** Tokens of the walked path that recency would have served, here and with more room. */
  recencyHits = 0;
  largerHits = 0;

  /** @param larger recency in a cache larger by the share PRICE_STEP, where it matters what room is worth. */
  constructor(
    experts: readonly Shadow[],
    readonly capacityBytes: number,
    private readonly larger: Shadow | undefined,
  ) {
    this.experts = experts;
    this.leader = experts[0]!;
    this.scores = new Float64Array(experts.length);
  }

  /** All shadows, followed or not. */
  get shadows(): readonly Shadow[] {
    return this.larger === undefined ? this.experts : [...this.experts, this.larger];
  }

  /** Credits every expert with the tokens it would have served of the walked path, of so many of its request's input. */
  score(prefix: boolean, inputTokens: number): void {
    this.inputTokens = KEPT * this.inputTokens + inputTokens;
    for (let e = 0; e < this.experts.length; e++) {
      const hits = this.experts[e]!.hitTokens(prefix);
      if (e === 0) this.recencyHits = hits;
      this.scores[e] = KEPT * this.scores[e]! + hits;
    }
    if (this.larger !== undefined) this.largerHits = this.larger.hitTokens(prefix);
  }

  update(request: number): void {
    for (const expert of this.experts) expert.update();
    this.larger?.update();
    if (request % CHOOSE_EVERY === CHOOSE_EVERY - 1) this.choose();
  }

  private choose(): void {
    const { experts, scores } = this;
    let best = 0;
    for (let e = 1; e < experts.length; e++) if (scores[e]! > scores[best]!) best = e;
    const before = this.leader;
    const led = scores[experts.indexOf(before)]!;
    if (scores[best]! - led <= Math.min(LEAD * led, LEAD_OF_INPUT * this.inputTokens)) return;
    this.leader = experts[best]!;
    this.onSwitch?.(before);
  }
}

/** Everything the experts share: what is known of runs, what they are worth, how they age. */
export class ExpertBoard {
  readonly mixes: readonly Mix[];
  private readonly reader: FeatureReader;
  private readonly worths: readonly Worth[];
  /** The price experts of all cache sizes. */
  private readonly prices: readonly PriceShadow[];
  private readonly aging: Aging;
  private saved = 0;
  private scored = 0;

  /**
   * @param capacities bytes of the caches to play, one mix for each.
   * @param pricesRoom whether `priceRoom` will be asked for.
   */
  constructor(
    trace: Trace,
    private readonly runs: RunTable,
    private readonly blockBytes: Float64Array,
    capacities: readonly number[],
    pricesRoom: boolean,
  ) {
    this.reader = new FeatureReader(trace, runs);
    const worths = HORIZONS.map((tau) => new Worth(runs, this.reader, tau));
    const prices: PriceShadow[][] = worths.map(() => []);
    this.worths = worths;
    this.mixes = capacities.map((capacity) => {
      const recency = new RecencyShadow(runs, blockBytes, capacity);
      const frequencies = HALF_LIVES.map(
        (halfLife) => new FrequencyShadow(runs, blockBytes, capacity, halfLife, trace.requests),
      );
      const priced = worths.map((worth, w) => {
        const shadow = new PriceShadow(`price ${worth.tau}`, runs, blockBytes, capacity, worth);
        prices[w]!.push(shadow);
        return shadow;
      });
      const larger = pricesRoom
        ? new RecencyShadow(runs, blockBytes, (1 + PRICE_STEP) * capacity)
        : undefined;
      return new Mix([recency, ...frequencies, ...priced], capacity, larger);
    });
    worths.forEach((worth, w) => {
      worth.onNewOrder = () => {
        for (const shadow of prices[w]!) shadow.onNewOrder();
      };
    });
    this.aging = new Aging(runs);
    this.prices = prices.flat();
  }

  /** A run's blocks have changed their size. */
  resize(run: number, before: number, after: number): void {
    for (const mix of this.mixes) for (const shadow of mix.shadows) shadow.resize(run, before, after);
  }

  /** Credits the experts with what they would have served of the walked path, of so many of its request's input. */
  score(prefix: boolean, inputTokens: number): void {
    for (const mix of this.mixes) mix.score(prefix, inputTokens);
  }

  /**
   * Measures what room is worth, by the scores of the walked path.
   * @param bytesPerSecond of the tiers; @param worthOf seconds of prefill that so many hit tokens save.
   */
  priceRoom(bytesPerSecond: readonly number[], worthOf: (tokens: number) => number): void {
    const { path, knownLength, length } = this.runs;
    let tokens = 0;
    let bytes = 0;
    for (let i = 0; i < knownLength; i++) {
      tokens += length[path[i]!]! * this.runs.tokensPerBlock(path[i]!);
      bytes += length[path[i]!]! * this.blockBytes[path[i]!]!;
    }
    let saved = 0;
    if (tokens > 0) {
      const each = bytes / tokens;
      const seconds = (hitsOf: (mix: Mix) => number) => {
        let load = 0;
        let above = 0;
        this.mixes.forEach((mix, tier) => {
          const hits = Math.max(above, hitsOf(mix));
          load += ((hits - above) * each) / bytesPerSecond[tier]!;
          above = hits;
        });
        return load - worthOf(above);
      };
      saved = seconds((mix) => mix.recencyHits) - seconds((mix) => mix.largerHits);
    }
    this.saved = KEPT * this.saved + saved;
    this.scored = KEPT * this.scored + 1;
  }

  /** Seconds a request would save by an e-fold of more room, as far as a little more of it tells. */
  get roomSeconds(): number {
    return Math.max(0, this.saved / Math.max(1, this.scored) / Math.log(1 + PRICE_STEP));
  }

  /** A new request arrives; before its path is walked. */
  arrive(): void {
    const aged = this.aging.advance();
    for (const worth of this.worths) worth.grow(aged);
    for (const shadow of this.prices) shadow.grow(aged);
  }

  /** Learns from the walked path and lets every expert take it in. */
  update(request: number): void {
    for (const worth of this.worths) worth.learn();
    this.reader.read();
    for (const worth of this.worths) worth.classify();
    this.runs.settle();
    for (const mix of this.mixes) mix.update(request);
    this.aging.record();
  }
}
