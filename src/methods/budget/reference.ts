import type { MethodRow } from '../../formats/methods.js';
import { ANY_CONTEXT } from '../../formats/names.js';
import type { Configuration } from '../runner.js';
import { mean } from '../statistics.js';
import { expectPopulation, learn, type Observation, type Population, transfer } from './population.js';

/** How far another model's mean qualities may lie from the reference's; small models lose the most. */
const OTHER_MODEL = 0.1;
/** How far a method may lie from the others of its kind, where the reference does not have it. */
const OTHER_METHOD = 0.15;
/** How far qualities may lie from what is expected without any reference. */
const NO_REFERENCE = 0.25;
/** Standard error of a context's token agreement over five queries, as seen on SmolLM2; profiles do not state it. */
const AGREEMENT_ERROR = 0.06;

/**
 * What to expect of contexts nobody has measured: a reference profile's curves, with room for this model to be
 * another one. Methods it does not have are expected to be like the others of their kind (dropping tokens,
 * quantizing, both). Without a reference: quality falls with the square of what is removed.
 * @param metric which of the reference's figures the qualities will be.
 */
export function populationFrom(
  cells: readonly Configuration[],
  reference: readonly MethodRow[],
  metric: 'similarity' | 'agreement',
): Population {
  const contexts = curvesOf(reference, metric);
  if (contexts.length === 0) {
    const expected = Float64Array.from(cells, ({ compressionRatio }) => 1 - compressionRatio ** 2 / 2);
    return expectPopulation(
      cells,
      expected,
      cells.map(() => NO_REFERENCE),
    );
  }
  const observed = contexts.map((curves) =>
    cells.map((cell, place): Observation => ({ cell: place, ...readCurve(curvesFor(curves, cell), cell) })),
  );
  const expected = Float64Array.from(cells, (_, cell) => mean(observed.map((each) => each[cell]!.quality)));
  const start = expectPopulation(
    cells,
    expected,
    cells.map(() => NO_REFERENCE),
  );
  const known = new Set(reference.map(({ method }) => method));
  return transfer(
    cells,
    observed.reduce(learn, start),
    cells.map(({ method }) => Math.hypot(OTHER_MODEL, known.has(method) ? 0 : OTHER_METHOD)),
  );
}

/** What storing a configuration takes, before anybody has measured it. */
export interface ExpectedCosts {
  /** Stored share of the bytes, 0 to 1. */
  readonly share: number;
  /** Seconds to decompress, in prefills of the context. */
  readonly decompression: number;
}

/**
 * What a reference profile says of the costs of each configuration: of its method at the nearest ratio, else of its
 * kind. Scales of groups take more than the ratio says, and the most that was seen counts, because a plan has to
 * fit. Decompression is that of the reference's machine: on another one it differs, but much less to each other.
 */
export function costsFrom(
  cells: readonly Configuration[],
  reference: readonly MethodRow[],
): readonly ExpectedCosts[] {
  const rows = reference.filter(({ context }) => context !== ANY_CONTEXT);
  return cells.map(({ method, compressionRatio }) => {
    const nominal = 1 - compressionRatio;
    const own = rows.filter((row) => row.method === method);
    const alike = own.length > 0 ? own : rows.filter((row) => kindOf(row.method) === kindOf(method));
    const distance = (row: MethodRow) => Math.abs(row.compressionRatio - compressionRatio);
    const least = Math.min(...alike.map(distance));
    const nearest = alike.filter((row) => distance(row) === least);
    if (nearest.length === 0) return { share: nominal, decompression: 0 };
    const beyond = nearest.map((row) => row.storedBytes / row.fullBytes / (1 - row.compressionRatio));
    const bytes = nearest.reduce((sum, row) => sum + row.fullBytes, 0);
    const seconds = nearest.reduce((sum, row) => sum + (row.decompressSeconds ?? 0), 0);
    return {
      share: Math.min(1, nominal * Math.max(...beyond)),
      decompression: seconds / (bytes * PREFILL_SECONDS_PER_BYTE),
    };
  });
}

/** SmolLM2-135M on two cores: .9 s for 924 tokens of 22.5 KiB. */
const PREFILL_SECONDS_PER_BYTE = 4.2e-8;

interface Point {
  readonly method: string;
  readonly ratio: number;
  readonly quality: number;
  readonly error: number;
}

/** The points of every context of a profile. */
function curvesOf(reference: readonly MethodRow[], metric: 'similarity' | 'agreement'): Point[][] {
  const contexts = new Map<string, Point[]>();
  for (const row of reference) {
    if (row.context === ANY_CONTEXT) continue;
    const isOwn = row.metric === (metric === 'similarity' ? 'answer-similarity' : 'token-agreement');
    const quality = isOwn ? row.quality : metric === 'agreement' ? row.tokenAgreement : row.answerSimilarity;
    if (typeof quality !== 'number') continue;
    const points = contexts.get(row.context) ?? [];
    const error = (isOwn ? row.qualityStdError : undefined) ?? AGREEMENT_ERROR;
    points.push({ method: row.method, ratio: row.compressionRatio, quality, error });
    contexts.set(row.context, points);
  }
  return [...contexts.values()];
}

/** A context's points of a method; of its kind, where there are none; all, where there is no such kind. */
function curvesFor(points: readonly Point[], { method }: Configuration): readonly Point[] {
  const own = points.filter((point) => point.method === method);
  if (own.length > 0) return own;
  const kind = kindOf(method);
  const alike = points.filter((point) => kindOf(point.method) === kind);
  return alike.length > 0 ? alike : points;
}

function kindOf(method: string): 'drop' | 'quantize' | 'both' {
  if (method.includes('+')) return 'both';
  return /^(int|fp)\d+$/.test(method) ? 'quantize' : 'drop';
}

/** The quality at a ratio, between the nearest two that are known; nothing removed has quality 1. */
function readCurve(
  points: readonly Point[],
  { compressionRatio: ratio }: Configuration,
): Pick<Observation, 'quality' | 'error'> {
  const at = (place: number) => {
    const here = points.filter((point) => point.ratio === place);
    return { ratio: place, quality: mean(here.map(({ quality }) => quality)), error: here[0]!.error };
  };
  const ratios = [...new Set(points.map((point) => point.ratio))].sort((a, b) => a - b);
  const below = ratios.filter((each) => each <= ratio).at(-1);
  const above = ratios.find((each) => each >= ratio);
  const left = below === undefined ? { ratio: 0, quality: 1, error: 0 } : at(below);
  if (above === undefined) {
    // Beyond what is known it is not held to be better than falling to nothing at 1.
    const share = (ratio - left.ratio) / (1 - left.ratio);
    return { quality: left.quality * (1 - share), error: left.error };
  }
  const right = at(above);
  const share = right.ratio === left.ratio ? 0 : (ratio - left.ratio) / (right.ratio - left.ratio);
  return {
    quality: left.quality + share * (right.quality - left.quality),
    error: left.error + share * (right.error - left.error),
  };
}
