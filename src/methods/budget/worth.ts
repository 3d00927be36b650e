import type { Belief } from './posterior.js';

/** Quality that a measurement may be expected to gain, below which nobody would wait for it. */
const NEGLIGIBLE = 0.004;

/**
 * The configuration that is worth measuring next: the one whose true quality is most likely to change what a plan
 * would choose. A plan chooses on the upper concave envelope of quality over stored bytes; what counts is how far a
 * configuration may lie on the other side of the envelope that the others span without it (the expected value of
 * knowing it exactly). Undefined when nothing is worth it.
 * @param shares stored share of each configuration, 0 to 1.
 * @param remaining how much of a configuration's uncertainty measuring it would remove, 0 where it is known.
 */
export function mostWorth(
  belief: Belief,
  shares: readonly number[],
  remaining: readonly number[],
): number | undefined {
  let best: number | undefined;
  let most = NEGLIGIBLE;
  for (let cell = 0; cell < shares.length; cell++) {
    const deviation = belief.deviation[cell]! * remaining[cell]!;
    if (deviation === 0) continue;
    const distance = Math.abs(belief.mean[cell]! - envelopeAt(belief, shares, cell)) / deviation;
    const value = deviation * expectedExcess(distance);
    if (value > most) {
      best = cell;
      most = value;
    }
  }
  return best;
}

/** E[max(0, x − distance)] of a standard normal x. */
function expectedExcess(distance: number): number {
  const density = Math.exp((-distance * distance) / 2) / Math.sqrt(2 * Math.PI);
  // Mills ratio bound for the tail, within .3 % of the exact one for every distance ≥ 0.
  const tail = density / (0.661 * distance + 0.339 * Math.sqrt(distance * distance + 5.51));
  return Math.max(0, density - distance * tail);
}

/** What a mix of the other configurations, of nothing (quality 0) and of everything (1) reaches with as many bytes. */
function envelopeAt({ mean }: Belief, shares: readonly number[], cell: number): number {
  const share = shares[cell]!;
  let best = share;
  const points: [number, number][] = [
    [0, 0],
    [1, 1],
  ];
  for (let other = 0; other < shares.length; other++) {
    if (other !== cell) points.push([shares[other]!, mean[other]!]);
  }
  for (const [lowShare, lowQuality] of points) {
    if (lowShare > share) continue;
    best = Math.max(best, lowQuality);
    for (const [highShare, highQuality] of points) {
      if (highShare <= share) continue;
      const t = (share - lowShare) / (highShare - lowShare);
      best = Math.max(best, lowQuality + t * (highQuality - lowQuality));
    }
  }
  return best;
}
