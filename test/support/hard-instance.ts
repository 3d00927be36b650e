import type { Demand } from '../../src/formats/demand.js';
import { fitCurves } from '../../src/plan/curves.js';
import { buildProblem, type Problem } from '../../src/plan/problem.js';
import { classRows, RATIOS, randomFrom, TEST_MODEL, tier } from './instances.js';

/** What is hard about an instance: sizes, rates and tiers that ordinary instances do not have. */
export interface Hard {
  readonly contexts: number;
  readonly bytes: (i: number, random: () => number) => number;
  readonly rate: (i: number, random: () => number) => number;
  /** Capacities of the finite tiers, fast to slow, given all bytes. */
  readonly capacities: (total: number) => readonly number[];
  readonly alpha?: number;
  /** Bytes per second, seconds and capacity of the slowest tier. */
  readonly remote?: number;
  readonly remoteLatency?: number;
  readonly remoteBytes?: number;
  /** The same as a share of all bytes. */
  readonly remoteShare?: number;
  readonly classes?: number;
  readonly methods?: number;
  readonly parent?: (i: number, random: () => number) => number;
  readonly seed?: number;
}

export const anySize = (_: number, random: () => number) => Math.round(10 ** (6 + 3 * random()));
export const anyRate = (_: number, random: () => number) => 10 ** (3 * random() - 1);

/** A parent for nine of ten contexts, any of those before them. */
export const anyParent = (i: number, random: () => number) =>
  i > 0 && random() < 0.9 ? Math.floor(random() * i) : -1;

/** The instance drawn from its seed: methods × six ratios, eight classes, a remote tier behind the finite ones. */
export function hardInstance({
  contexts,
  bytes,
  rate,
  capacities,
  alpha = 1,
  remote = 1e9,
  remoteLatency = 0.02,
  remoteBytes,
  remoteShare,
  classes = 8,
  methods = 2,
  parent,
  seed = 17,
}: Hard): Problem {
  const random = randomFrom(seed);
  const fullBytes = Float64Array.from({ length: contexts }, (_, i) => bytes(i, random));
  const demand: Demand = {
    contexts,
    ids: Array.from({ length: contexts }, (_, i) => `c${i}`),
    tokens: fullBytes.map((size) => size / TEST_MODEL.kvBytesPerToken),
    startTokens: new Float64Array(contexts),
    fullBytes,
    accesses: Float64Array.from({ length: contexts }, (_, i) => rate(i, random)),
    requestShare: new Float64Array(contexts).fill(1),
    parents: Int32Array.from({ length: contexts }, (_, i) => parent?.(i, random) ?? -1),
    classOf: Int32Array.from({ length: contexts }, () => Math.floor(random() * classes)),
    classes: Array.from({ length: 8 }, (_, c) => `class-${c}`),
    tenantOf: new Int32Array(contexts).fill(-1),
    tenants: [],
    periodSeconds: 100,
  };
  const total = fullBytes.reduce((sum, size) => sum + size, 0);
  const tiers = [
    ...capacities(total).map((capacity, t) =>
      tier(`tier-${t}`, Math.round(capacity), 20e9 / 4 ** t, 0.001 * (t + 1)),
    ),
    tier(
      'remote',
      remoteBytes ?? (remoteShare === undefined ? null : Math.round(remoteShare * total)),
      remote,
      remoteLatency,
    ),
  ];
  return buildProblem(demand, tiers, TEST_MODEL, fitCurves(classRows(8, methods, RATIOS, random)), { alpha });
}
