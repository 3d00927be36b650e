import type { Demand } from '../../src/formats/demand.js';
import type { MethodRow } from '../../src/formats/methods.js';
import type { Model } from '../../src/formats/model.js';
import type { Tier } from '../../src/formats/tiers.js';
import { fitCurves } from '../../src/plan/curves.js';
import { buildProblem, type Problem } from '../../src/plan/problem.js';

/** A small deterministic generator of uniform numbers in [0, 1). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const TEST_MODEL: Model = {
  name: 'test-8b',
  kvBytesPerToken: 131_072,
  prefill: { secondsPerToken: 2.1e-5, secondsPerTokenSquared: 4e-10 },
};

export function tier(
  name: string,
  capacityBytes: number | null,
  bytesPerSecond: number,
  latencySeconds = 0,
): Tier {
  return { name, kind: 'file', capacityBytes, read: { latencySeconds, bytesPerSecond } };
}

/** Method rows by class: methods × ratios with a falling quality of its own per class and method. */
export function classRows(
  classes: number,
  methods: number,
  ratios: readonly number[],
  random: () => number,
): MethodRow[] {
  const rows: MethodRow[] = [];
  for (let c = 0; c < classes; c++) {
    for (let m = 0; m < methods; m++) {
      const harm = 0.02 + 0.6 * random() ** 2;
      const bend = 1 + 3 * random();
      for (const ratio of ratios) {
        rows.push({
          context: '*',
          class: `class-${c}`,
          fullBytes: 1e9,
          method: `method-${m}`,
          compressionRatio: ratio,
          storedBytes: Math.ceil((1 - ratio) * 1e9),
          quality: Math.max(0, 1 - harm * ratio ** bend),
          queries: 5,
        });
      }
    }
  }
  return rows;
}

export interface InstanceOptions {
  readonly contexts: number;
  readonly classes?: number;
  readonly seed?: number;
  readonly alpha?: number;
  /** Capacity of the fast and the middle tier as shares of all bytes. */
  readonly shares?: readonly [number, number];
  /** Share of contexts that have a parent. */
  readonly parents?: number;
  readonly methods?: number;
  /** Every context has curves of its own. */
  readonly ownCurves?: boolean;
  /** Contexts have ids; without, ten million fit into memory beside their plan. */
  readonly named?: boolean;
}

export const RATIOS = [0.1, 0.3, 0.5, 0.7, 0.9, 0.95] as const;

/** An ordinary instance: lognormal sizes, skewed rates, three tiers of which two are finite, 76 options. */
export function ordinaryInstance({
  contexts,
  classes = 64,
  seed = 1,
  alpha = 2,
  shares = [0.05, 0.3],
  parents = 0,
  methods = 4,
  ownCurves = false,
  named = true,
}: InstanceOptions): Problem {
  const random = randomFrom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const tokens = new Float64Array(contexts);
  const startTokens = new Float64Array(contexts);
  const accesses = new Float64Array(contexts);
  const parentOf = new Int32Array(contexts).fill(-1);
  const classOf = new Int32Array(contexts);
  for (let i = 0; i < contexts; i++) {
    tokens[i] = Math.max(64, Math.round(Math.exp(8.3 + 0.9 * normal())));
    accesses[i] = Math.exp(0.5 + 1.2 * normal());
    classOf[i] = Math.floor(random() * classes);
    if (i > 0 && random() < parents) {
      const parent = Math.floor(random() * i);
      parentOf[i] = parent;
      startTokens[i] = startTokens[parent]! + tokens[parent]!;
      accesses[i] = accesses[parent]! * random();
    }
  }
  const fullBytes = Float64Array.from(tokens, (count) => count * TEST_MODEL.kvBytesPerToken);
  const total = fullBytes.reduce((sum, bytes) => sum + bytes, 0);
  const demand: Demand = {
    contexts,
    ids: named ? Array.from({ length: contexts }, (_, i) => `c${i}`) : [],
    tokens,
    startTokens,
    fullBytes,
    accesses,
    requestShare: new Float64Array(contexts).fill(1),
    parents: parentOf,
    classOf,
    classes: Array.from({ length: classes }, (_, c) => `class-${c}`),
    tenantOf: new Int32Array(contexts).fill(-1),
    tenants: [],
    periodSeconds: 3600,
  };
  const tiers = [
    tier('dram', Math.round(total * shares[0]), 20e9, 0.001),
    tier('ssd', Math.round(total * shares[1]), 3e9, 0.002),
    tier('remote', null, 1e9, 0.02),
  ];
  const curves = fitCurves(classRows(classes, methods, RATIOS, random));
  const problem = buildProblem(demand, tiers, TEST_MODEL, curves, { alpha });
  return ownCurves ? withOwnCurves(problem, random) : problem;
}

/** The same contexts, each with a copy of its class's forms whose losses of quality are its own. */
function withOwnCurves(problem: Problem, random: () => number): Problem {
  const { forms, curveOf } = problem;
  const n = curveOf.length;
  const offsets = new Int32Array(n + 1);
  for (let i = 0; i < n; i++)
    offsets[i + 1] = offsets[i]! + forms.offsets[curveOf[i]! + 1]! - forms.offsets[curveOf[i]!]!;
  const spread = <T extends Float64Array | Int32Array>(column: T): T => {
    const all = new (column.constructor as new (length: number) => T)(offsets[n]!);
    for (let i = 0; i < n; i++)
      all.set(column.subarray(forms.offsets[curveOf[i]!]!, forms.offsets[curveOf[i]! + 1]!), offsets[i]!);
    return all;
  };
  const quality = spread(forms.quality);
  for (let i = 0; i < n; i++) {
    const factor = 0.5 + random();
    for (let form = offsets[i]!; form < offsets[i + 1]!; form++)
      quality[form] = Math.max(0, 1 - factor * (1 - quality[form]!));
  }
  return {
    ...problem,
    curveOf: Int32Array.from({ length: n }, (_, i) => i),
    forms: {
      offsets,
      storedBytes: spread(forms.storedBytes),
      ofBytes: spread(forms.ofBytes),
      quality,
      decompressSecondsPerByte: spread(forms.decompressSecondsPerByte),
      lossyOf: spread(forms.lossyOf),
      lossyNames: forms.lossyNames,
    },
  };
}

/** The same contexts after a while: a share of them is used up to twice as often or half as often. */
export function drifted(problem: Problem, share: number, seed = 7): Problem {
  const random = randomFrom(seed);
  const accesses = problem.demand.accesses.map((rate) =>
    random() < share ? rate * 4 ** (random() - 0.5) : rate,
  );
  return { ...problem, demand: { ...problem.demand, accesses } };
}
