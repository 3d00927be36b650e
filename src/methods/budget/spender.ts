import type { JournalEntry } from '../journal.js';
import type { Configuration, Wanted } from '../runner.js';
import { mean, standardError } from '../statistics.js';
import { type Belief, believe, learn, type Observation, type Population } from './population.js';
import type { ExpectedCosts } from './reference.js';
import { mostWorth } from './worth.js';

/** Which of a measurement's figures a plan will be made on; per query, undefined where it was not measured. */
export type QualityOf = (entry: JournalEntry) => readonly number[] | undefined;

/** What to measure next in a context. */
export interface Choice {
  readonly configurations: readonly Configuration[];
  readonly wanted: Wanted;
}

/** A run under a budget: what is known of every context, and what is worth finding out. */
export interface Spender {
  /** Takes in a measured configuration. */
  learn(context: string, entry: JournalEntry): void;
  /**
   * The next measurement of a context with so many queries, undefined when nothing more is worth it.
   * @param most how many configurations it may take at once.
   */
  next(context: string, queries: number, most: number): Choice | undefined;
  /** Says that a context is left for good: what was measured of it tells of all others. */
  leave(context: string): void;
  /** What is believed of a context's configurations by now, measured ones included. */
  belief(context: string): Belief;
  /** The share of its bytes a configuration stores: the largest measured, because a plan has to fit; else as expected. */
  storedShare(cell: number): number;
  /** Seconds to compress and decompress a context of so many bytes, as measured in other contexts; else as expected. */
  seconds(cell: number, fullBytes: number): { compressSeconds: number; decompressSeconds: number };
  /** Whether a configuration was tried in this context and could not be measured. */
  failed(context: string, cell: number): boolean;
}

/** The first look at a configuration takes this share of the queries; the rest is asked where it could matter. */
const FIRST_LOOK = 0.6;
/** Fewer queries than this are asked at once: a standard error of three or four is hardly known itself. */
const LEAST_LOOK = 5;

/** What is expected of configurations before anything is measured, in their order. */
export interface Expected {
  readonly population: Population;
  readonly costs: readonly ExpectedCosts[];
}

export function createSpender(
  cells: readonly Configuration[],
  qualityOf: QualityOf,
  { population: expected, costs: expectedCosts }: Expected,
): Spender {
  let population = expected;
  const left = new Set<string>();
  const entries = new Map<string, Map<number, JournalEntry>>();
  const place = new Map(cells.map((cell, i) => [key(cell), i]));
  // Sums over the contexts in which a configuration was measured, in bytes and seconds, and its largest share.
  const totals = cells.map(() => ({ full: 0, compress: 0, decompress: 0, largestShare: 0 }));
  const storedShare = (cell: number) => totals[cell]!.largestShare || expectedCosts[cell]!.share;
  const observations = (context: string): Observation[] =>
    [...(entries.get(context) ?? [])].flatMap(([cell, entry]) => {
      const values = qualityOf(entry);
      if (values === undefined || values.length === 0) return [];
      return [{ cell, quality: mean(values), error: standardError(values) ?? 0.1 }];
    });
  /** Its own prefill, else that of any other context, scaled by nothing: the ratio to decompression is what counts. */
  const prefillOf = (context: string | undefined) => {
    const own = context === undefined ? [] : [...(entries.get(context)?.values() ?? [])];
    const any = [...own, ...[...entries.values()].flatMap((each) => [...each.values()])];
    const known = any.find((entry) => (entry.prefillSeconds ?? 0) > 0 && entry.fullBytes !== undefined);
    return { prefillSeconds: known?.prefillSeconds ?? 1, fullBytes: known?.fullBytes ?? 0 };
  };
  /**
   * As measured; of a configuration nobody has measured, what is expected, times what those that were measured take
   * of what is expected of them: others of its method, else all.
   */
  const decompressPerByte = (cell: number): number => {
    const { full, decompress } = totals[cell]!;
    if (full > 0) return decompress / full;
    const measured = cells.flatMap((_, i) =>
      totals[i]!.full > 0 && expectedCosts[i]!.decompression > 0 ? [i] : [],
    );
    const ofMethod = measured.filter((i) => cells[i]!.method === cells[cell]!.method);
    const alike = ofMethod.length > 0 ? ofMethod : measured;
    const sum = (of: (i: number) => number) => alike.reduce((total, i) => total + of(i), 0);
    const { prefillSeconds, fullBytes } = prefillOf(undefined);
    const factor =
      alike.length > 0
        ? sum((i) => totals[i]!.decompress / totals[i]!.full) / sum((i) => expectedCosts[i]!.decompression)
        : fullBytes === 0
          ? 0
          : prefillSeconds / fullBytes;
    return expectedCosts[cell]!.decompression * factor;
  };
  return {
    belief: (context) => believe(population, observations(context)),
    leave(context) {
      if (left.has(context)) return;
      left.add(context);
      population = learn(population, observations(context));
    },
    storedShare,
    seconds(cell, fullBytes) {
      const { full, compress } = totals[cell]!;
      return {
        compressSeconds: full === 0 ? 0 : (compress / full) * fullBytes,
        decompressSeconds: decompressPerByte(cell) * fullBytes,
      };
    },
    failed: (context, cell) => entries.get(context)?.get(cell)?.failed !== undefined,
    learn(context, entry) {
      const cell = place.get(key(entry));
      if (cell === undefined) return;
      const own = entries.get(context) ?? new Map<number, JournalEntry>();
      entries.set(context, own.set(cell, entry));
      const { measurement, fullBytes } = entry;
      if (measurement === undefined || fullBytes === undefined) return;
      const total = totals[cell]!;
      total.full += fullBytes;
      total.largestShare = Math.max(total.largestShare, measurement.storedBytes / fullBytes);
      total.compress += measurement.compressSeconds;
      total.decompress += measurement.decompressSeconds;
    },
    next(context, queries, most) {
      const own = entries.get(context);
      const first = queries <= LEAST_LOOK ? queries : Math.ceil(FIRST_LOOK * queries);
      const askedOf = (cell: number) => {
        const entry = own?.get(cell);
        if (entry === undefined) return 0;
        return entry.measurement === undefined ? queries : (qualityOf(entry)?.length ?? queries);
      };
      // The rest of the queries takes the error from that of those asked to that of all of them.
      const remaining = cells.map((_, cell) => Math.sqrt(1 - Math.min(1, askedOf(cell) / queries)));
      const { prefillSeconds, fullBytes } = prefillOf(context);
      const costs = {
        shares: cells.map((_, i) => storedShare(i)),
        // Before the first prefill its seconds are not known, but their share of it is as good as any.
        decompress: cells.map((_, i) =>
          fullBytes === 0
            ? expectedCosts[i]!.decompression
            : (decompressPerByte(i) * fullBytes) / prefillSeconds,
        ),
        remaining,
      };
      const known = observations(context);
      // What each choice will show, for those after it: what is believed of it now, for certain.
      const chosen: Observation[] = [];
      while (chosen.length < most) {
        const now = believe(population, [...known, ...chosen]);
        const cell = mostWorth(now, costs);
        // What is measured together is asked the same queries.
        if (cell === undefined || (chosen[0] && askedOf(cell) !== askedOf(chosen[0].cell))) break;
        chosen.push({ cell, quality: now.mean[cell]!, error: 0 });
        remaining[cell] = 0;
      }
      if (chosen.length === 0) return undefined;
      const asked = askedOf(chosen[0]!.cell);
      const until = asked === 0 ? first : queries;
      const places = Array.from({ length: until - asked }, (_, i) => asked + i);
      return {
        configurations: chosen.map(({ cell }) => cells[cell]!),
        wanted: places.length === queries ? {} : { queries: places },
      };
    },
  };
}

function key({ method, compressionRatio }: Configuration): string {
  return `${method}@${compressionRatio}`;
}
