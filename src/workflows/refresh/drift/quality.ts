import type { MethodRow } from '../../../formats/methods.js';
import { ANY_CONTEXT } from '../../../formats/names.js';
import { significant } from '../../../units.js';
import type { MethodPoint } from '../options.js';
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
    const groups = new Map<string, { point: MethodPoint; online: number[]; profiled: number[] }>();
    const rowsOf = new Map<string, MethodRow[]>(samples.map(({ method }) => [method, []]));
    for (const row of methods) rowsOf.get(row.method)?.push(row);
    for (const sample of samples) {
      const row = profiledRow(rowsOf.get(sample.method)!, sample);
      if (row === undefined) continue;
      const { method, compressionRatio } = row;
      const key = JSON.stringify([method, compressionRatio]);
      const group = groups.get(key) ?? { point: { method, compressionRatio }, online: [], profiled: [] };
      groups.set(key, group);
      group.online.push(sample.quality);
      group.profiled.push(row.quality);
    }
    return [...groups.values()].flatMap(({ point, online, profiled }) =>
      online.length < FEWEST_SAMPLES ? [] : [judge(point, online, profiled, thresholds)],
    );
  },
};

function judge(
  point: MethodPoint,
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
  const name = methodName(point);
  return {
    check: 'quality',
    subject: name,
    drifted,
    value: gap,
    threshold: thresholds.qualityGap,
    evidence: `${name}: quality ${significant(mean(online))} online over ${online.length} answers, ${significant(mean(profiled))} profiled (gap ${significant(gap)}, by chance with probability ${significant(chance, 2)}; drift from ${thresholds.qualityGap}, or ${thresholds.significantGap} below ${thresholds.chance})`,
    ...(drifted && {
      corrected: { ...point, factor: Math.min(1, mean(online) / mean(profiled)) },
    }),
  };
}

/** A method at a ratio as people write it. */
export function methodName({ method, compressionRatio }: MethodPoint): string {
  return compressionRatio > 0 ? `${method}@${compressionRatio}` : method;
}

/** Whether two rows, samples or points are of one method at one ratio. */
export function sameMethod(a: MethodPoint, b: MethodPoint): boolean {
  return a.method === b.method && Math.abs(a.compressionRatio - b.compressionRatio) < 1e-9;
}

/** The row for a sample among those of its method: of its context, else of its class, else of all. */
function profiledRow(ofMethod: readonly MethodRow[], sample: QualitySample): MethodRow | undefined {
  const { method, compressionRatio } = sample;
  const only = ofMethod[0]?.compressionRatio;
  if (compressionRatio === undefined && ofMethod.some((row) => row.compressionRatio !== only))
    return undefined;
  const same =
    compressionRatio === undefined
      ? ofMethod
      : ofMethod.filter((row) => sameMethod(row, { method, compressionRatio }));
  return (
    same.find((row) => sample.context !== undefined && row.context === sample.context) ??
    same.find(
      (row) => row.context === ANY_CONTEXT && row.class !== undefined && row.class === sample.class,
    ) ??
    same.find((row) => row.context === ANY_CONTEXT && row.class === undefined)
  );
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
