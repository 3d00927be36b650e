import { ANY_CONTEXT, type MethodRow } from '../../../formats/methods.js';
import { significant } from '../../../units.js';
import type { DriftCheck, DriftFinding, DriftThresholds } from './check.js';
import type { QualitySample } from './samples.js';

/** A large gap is believed from so many samples on, a small one from more. */
const FEWEST_SAMPLES = 3;
const FEWEST_FOR_SIGNIFICANCE = 8;

/**
 * Answers from compressed caches that are worse online than profiled. The paper re-profiles at a gap of 0.3 (§3);
 * here a smaller gap counts too where a one-sided test says that it is no chance.
 */
export const quality: DriftCheck = {
  name: 'quality',
  async check({ samples, methods, thresholds }) {
    const groups = new Map<string, { sample: QualitySample; online: number[]; profiled: number[] }>();
    for (const sample of samples) {
      const profiled = profiledQuality(methods, sample);
      if (profiled === undefined) continue;
      const key = JSON.stringify([sample.method, sample.compressionRatio]);
      const group = groups.get(key) ?? { sample, online: [], profiled: [] };
      groups.set(key, group);
      group.online.push(sample.quality);
      group.profiled.push(profiled);
    }
    return [...groups.values()].flatMap(({ sample, online, profiled }) =>
      online.length < FEWEST_SAMPLES ? [] : [judge(sample, online, profiled, thresholds)],
    );
  },
};

function judge(
  { method, compressionRatio }: QualitySample,
  online: readonly number[],
  profiled: readonly number[],
  thresholds: DriftThresholds,
): DriftFinding {
  const gaps = online.map((value, i) => profiled[i]! - value);
  const gap = mean(gaps);
  const spread = Math.sqrt(gaps.reduce((sum, value) => sum + (value - gap) ** 2, 0) / (gaps.length - 1));
  const chance = chanceOf(gap, spread / Math.sqrt(gaps.length));
  const drifted =
    gap >= thresholds.qualityGap ||
    (gaps.length >= FEWEST_FOR_SIGNIFICANCE &&
      gap >= thresholds.significantGap &&
      chance < thresholds.chance);
  const name = compressionRatio > 0 ? `${method}@${compressionRatio}` : method;
  return {
    check: 'quality',
    subject: name,
    drifted,
    value: gap,
    threshold: thresholds.qualityGap,
    evidence: `${name}: quality ${significant(mean(online))} online over ${online.length} answers, ${significant(mean(profiled))} profiled (gap ${significant(gap)}, by chance with probability ${significant(chance, 2)}; drift from ${thresholds.qualityGap}, or ${thresholds.significantGap} below ${thresholds.chance})`,
    ...(drifted && {
      corrected: { method, compressionRatio, factor: Math.min(1, mean(online) / mean(profiled)) },
    }),
  };
}

/** What the profile says of a sample: rows of its context, else of its class, else of all. */
function profiledQuality(methods: readonly MethodRow[], sample: QualitySample): number | undefined {
  const same = methods.filter(
    (row) => row.method === sample.method && Math.abs(row.compressionRatio - sample.compressionRatio) < 1e-9,
  );
  const row =
    same.find((entry) => sample.context !== undefined && entry.context === sample.context) ??
    same.find(
      (entry) => entry.context === ANY_CONTEXT && entry.class !== undefined && entry.class === sample.class,
    ) ??
    same.find((entry) => entry.context === ANY_CONTEXT && entry.class === undefined);
  return row?.quality;
}

/** Probability of a mean gap at least this large if there were none (normal approximation, one-sided). */
function chanceOf(gap: number, standardError: number): number {
  if (standardError === 0) return gap > 0 ? 0 : 1;
  return 0.5 * erfc(gap / standardError / Math.SQRT2);
}

/** Abramowitz and Stegun 7.1.26: absolute error below 1.5e-7. */
function erfc(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const poly =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = poly * Math.exp(-x * x);
  return x >= 0 ? tail : 2 - tail;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
