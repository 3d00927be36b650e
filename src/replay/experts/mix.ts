import type { Trace } from '../../traces/trace.js';
import { Aging } from './aging.js';
import { FeatureReader } from './features.js';
import { FrequencyShadow } from './frequency-shadow.js';
import { PriceShadow } from './price-shadow.js';
import { RecencyShadow } from './recency-shadow.js';
import type { Column, RunTable } from './run-table.js';
import type { Shadow } from './shadow.js';
import { Worth } from './worth.js';

/** Half-lives of the frequency experts, in requests: short ones for sessions, long ones for shared content. */
const HALF_LIVES = [10, 100, 1000];
/** Horizons of the price experts, in requests. */
const HORIZONS = [10, 300];
/** How often the leader is chosen, and by how much a rival must be ahead of it. */
const CHOOSE_EVERY = 50;
const LEAD = 1.02;
/** The price of room is measured over this share of more room. */
const PRICE_STEP = 0.25;
/** Half-life of what is remembered of the experts' hits, in requests. */
const MEMORY_HALF_LIFE = 1000;

/** The experts of one cache size, and which of them is followed. */
export class Mix {
  readonly experts: readonly Shadow[];
  leader: Shadow;
  /** Called after another expert has taken the lead. */
  onSwitch: (() => void) | undefined;
  private readonly scores: Float64Array;
  private largerScore = 0;

  /** @param larger recency in a cache larger by the share PRICE_STEP: what more room would be worth. */
  constructor(
    experts: readonly Shadow[],
    readonly capacityBytes: number,
    private readonly larger: Shadow,
  ) {
    this.experts = experts;
    this.leader = experts[0]!;
    this.scores = new Float64Array(experts.length);
  }

  /** All shadows, followed or not. */
  get shadows(): readonly Shadow[] {
    return [...this.experts, this.larger];
  }

  /** What one more byte would have saved in the remembered period, in the units of `score`. */
  get pricePerByte(): number {
    return Math.max(0, this.largerScore - this.scores[0]!) / (PRICE_STEP * this.capacityBytes);
  }

  /** Credits every expert with what it would have served of the walked path. @param worthOf seconds, by hit blocks. */
  score(prefix: boolean, worthOf: (blocks: number) => number): void {
    const keep = 2 ** (-1 / MEMORY_HALF_LIFE);
    for (let e = 0; e < this.experts.length; e++) {
      this.scores[e] = keep * this.scores[e]! + worthOf(this.experts[e]!.hitBlocks(prefix));
    }
    this.largerScore = keep * this.largerScore + worthOf(this.larger.hitBlocks(prefix));
  }

  update(request: number): void {
    for (const expert of this.experts) expert.update();
    this.larger.update();
    if (request % CHOOSE_EVERY === CHOOSE_EVERY - 1) this.choose();
  }

  private choose(): void {
    const { experts, scores } = this;
    let best = 0;
    for (let e = 1; e < scores.length; e++) if (scores[e]! > scores[best]!) best = e;
    if (scores[best]! <= LEAD * scores[experts.indexOf(this.leader)]!) return;
    this.leader = experts[best]!;
    this.onSwitch?.();
  }
}

/** Everything the experts share: what is known of runs, what they are worth, how they age. */
export class ExpertBoard {
  readonly mixes: readonly Mix[];
  private readonly reader: FeatureReader;
  private readonly worths: readonly Worth[];
  private readonly aging: Aging;

  /** @param capacities bytes of the caches to play, one mix for each. */
  constructor(
    trace: Trace,
    private readonly runs: RunTable,
    blockBytes: Column<Float64Array>,
    capacities: readonly number[],
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
      const larger = new RecencyShadow(runs, blockBytes, (1 + PRICE_STEP) * capacity);
      return new Mix([recency, ...frequencies, ...priced], capacity, larger);
    });
    worths.forEach((worth, w) => {
      worth.onNewOrder = () => {
        for (const shadow of prices[w]!) shadow.onNewOrder();
      };
    });
    this.aging = new Aging(runs, {
      onAge(run, bin) {
        for (let w = 0; w < worths.length; w++) {
          worths[w]!.onAge(run, bin);
          for (const shadow of prices[w]!) shadow.onAge(run, bin);
        }
      },
    });
  }

  /** A new request arrives; before its path is walked. */
  arrive(): void {
    this.aging.advance();
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
