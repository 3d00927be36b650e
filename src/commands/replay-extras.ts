import { EvicpressError, naming, printable } from '../errors.js';
import type { PolicyResult, ReplayResult } from '../formats/replay.js';
import type { TtftTarget } from '../replay/load-sweep.js';
import type { ReplaySetting } from '../replay/simulator.js';
import { type LruCurve, lruCurve, lruHitRate } from '../replay/stack-distance.js';
import { formatSeconds, parseSeconds } from '../units.js';

/** Points of the LRU curve that go into the result: more than a chart has room for say no more. */
const MOST_POINTS = 200;

/** Reads a limit on the TTFT: a time for the mean, or `p90=` and a time. @param flag named in the message. @throws EvicpressError */
export function parseTarget(text: string, flag: string): TtftTarget {
  const at = text.indexOf('=');
  const statistic = at === -1 ? 'mean' : text.slice(0, at);
  if (statistic !== 'mean' && statistic !== 'p50' && statistic !== 'p90' && statistic !== 'p99') {
    throw new EvicpressError(
      `${flag}: "${printable(statistic)}" is no statistic of the TTFT. Write mean, p50, p90 or p99, like p90=2s.`,
    );
  }
  return { statistic, seconds: naming(flag, () => parseSeconds(text.slice(at + 1))) };
}

/**
 * Judges a replay by `--fail-above`: policy evicpress where it was replayed, else the quickest of those that were.
 * @throws EvicpressError with exit code 3 where its TTFT is above the limit.
 */
export function judgeTtft(text: string, log: string, { policies }: ReplayResult): void {
  const { statistic, seconds } = parseTarget(text, '--fail-above');
  const of = ({ ttft }: PolicyResult) => ttft[statistic];
  const quickest = policies.reduce((best, policy) => (of(policy) < of(best) ? policy : best));
  const judged = policies.find(({ policy }) => policy === 'evicpress') ?? quickest;
  if (of(judged) > seconds)
    throw new EvicpressError(
      `${printable(log)}: the ${statistic} TTFT of ${printable(judged.policy)} is ${formatSeconds(of(judged))}, above --fail-above ${formatSeconds(seconds)}. Give it more room, or accept a higher one.`,
      3,
    );
}

/** What uncompressed LRU serves at every capacity. */
export function lruCurveOf({ trace, model, warm }: ReplaySetting): LruCurve {
  const bytes = Float64Array.from(trace.tokensOfBlock, (tokens) => tokens * model.kvBytesPerToken);
  return lruCurve(trace, bytes, warm);
}

/** Every step of the curve, a line each. */
export function curveCsv(curve: LruCurve): string {
  const lines = Array.from(curve.capacityBytes, (bytes) => `${bytes},${lruHitRate(curve, bytes)}`);
  return `capacityBytes,prefixHitRate\n${lines.join('\n')}\n`;
}

/** The curve at capacities in equal steps of the hit rate; all steps where there are few. */
export function curvePoints(curve: LruCurve): { capacityBytes: number; prefixHitRate: number }[] {
  const { capacityBytes, hitTokens } = curve;
  const step = (hitTokens.at(-1) ?? 0) / MOST_POINTS;
  const points: { capacityBytes: number; prefixHitRate: number }[] = [];
  let next = 0;
  capacityBytes.forEach((bytes, i) => {
    if (hitTokens[i]! < next && i < capacityBytes.length - 1) return;
    points.push({ capacityBytes: bytes, prefixHitRate: lruHitRate(curve, bytes) });
    next = hitTokens[i]! + step;
  });
  return points;
}
