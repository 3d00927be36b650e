import { formatBytesPerSecond, formatShare, significant } from '../units.js';
import type { Burst } from './burst.js';
import type { Load } from './host.js';
import type { Remark } from './kind.js';

/** Can this tier's figures be relied on, and if not, which test failed? */
export interface Verdict {
  readonly level: 'good' | 'noisy' | 'bad';
  readonly reasons: readonly string[];
}

/**
 * A test's two limits: past the first a device is noisy, past the second it cannot be trusted. A good one should
 * predict the times of another run within 5 %.
 */
const LIMITS = {
  heldOutError: [0.05, 0.25],
  passError: [0.05, 0.3],
  runError: [0.05, 0.3],
  // Of single transfers: however much they vary, the mean can be steady.
  spread: [0.25, Number.POSITIVE_INFINITY],
  unexplained: [0.05, 0.2],
  stolenShare: [0.05, 0.2],
  cpuPressure: [0.05, 0.25],
} as const;

/** What the tests look at, for one direction. */
export interface Evidence {
  readonly direction: string;
  readonly heldOutError: number;
  /** Median relative error when one pass predicts the other. */
  readonly passError: number;
  /** Median relative error of what an earlier run predicts for this one. */
  readonly runError?: number;
  /** Relative interquartile range of the waves of one point, median over the points. */
  readonly spread: number;
  readonly rSquared: number;
  readonly burst?: Burst;
}

/** Weighs all evidence about a tier; the worst finding decides. */
export function judge(evidence: readonly Evidence[], load: Load, remarks: readonly Remark[]): Verdict {
  const found: Remark[] = [...remarks];
  const test = (value: number, [noisy, bad]: readonly [number, number], text: string) => {
    if (value > noisy) found.push({ level: value > bad ? 'bad' : 'noisy', text });
  };
  for (const { direction, heldOutError, passError, runError = 0, spread, rSquared, burst } of evidence) {
    test(
      heldOutError,
      LIMITS.heldOutError,
      `${direction}: sizes left out of the fit are off by ${formatShare(heldOutError)}`,
    );
    test(passError, LIMITS.passError, `${direction}: two passes differ by ${formatShare(passError)}`);
    test(
      runError,
      LIMITS.runError,
      `${direction}: the profile of an earlier run was off by ${formatShare(runError)}`,
    );
    test(spread, LIMITS.spread, `${direction}: repeats of one transfer spread by ${formatShare(spread)}`);
    test(
      1 - rSquared,
      LIMITS.unexplained,
      `${direction}: the fit explains only ${significant(rSquared, 2)} of the variance (R²)`,
    );
    if (burst !== undefined) {
      found.push({
        level: 'noisy',
        text: `${direction}: a burst of ${formatBytesPerSecond(burst.fastBytesPerSecond)} fell to ${formatBytesPerSecond(burst.slowBytesPerSecond)}; the figures are those after it`,
      });
    }
  }
  test(
    load.stolenShare,
    LIMITS.stolenShare,
    `the hypervisor took ${formatShare(load.stolenShare)} of the processor time`,
  );
  test(
    load.cpuPressure,
    LIMITS.cpuPressure,
    `the transfers waited for a processor in ${formatShare(load.cpuPressure)} of the time`,
  );
  const level = found.some((remark) => remark.level === 'bad') ? 'bad' : found.length > 0 ? 'noisy' : 'good';
  return { level, reasons: found.map((remark) => remark.text) };
}
