import { transferSeconds } from '../../../cost/transfer.js';
import { EvicpressError, NotMeasurableError } from '../../../errors.js';
import type { Tier } from '../../../formats/tiers.js';
import { formatSeconds, significant } from '../../../units.js';
import type { DriftCheck, DriftFinding, DriftThresholds } from './check.js';

/** The object that the probe's law and the profile's are compared on: a usual load of a cached prefix. */
const COMPARED_BYTES = 16e6;

/** A tier that reads clearly slower, or faster, than its profile says; by a short probe. */
export const tierSpeed: DriftCheck = {
  name: 'tier-speed',
  async check({ tiers, state, probe, thresholds }) {
    if (probe === undefined) return remembered(tiers, state.tierChecks, thresholds);
    const findings: DriftFinding[] = [];
    for (const tier of tiers.filter(canProbe)) findings.push(await probeTier(tier, probe, thresholds));
    return findings;
  },
};

/** Only what was measured here can be measured again; reference and assumed figures are of other machines. */
export function canProbe(tier: Tier): boolean {
  return tier.source === 'measured';
}

async function probeTier(
  tier: Tier,
  probe: (tier: Tier) => Promise<Tier>,
  thresholds: DriftThresholds,
): Promise<DriftFinding> {
  let measured: Tier;
  try {
    measured = await probe(tier);
  } catch (error) {
    if (!(error instanceof EvicpressError)) throw error;
    const gone = !(error instanceof NotMeasurableError);
    return {
      check: 'tier-speed',
      subject: tier.name,
      drifted: gone,
      value: null,
      threshold: thresholds.slowdown,
      evidence: `tier ${tier.name} ${gone ? 'cannot be used' : 'could not be probed'}: ${error.message}`,
      gone,
    };
  }
  const expected = transferSeconds(tier.read, COMPARED_BYTES);
  const seen = transferSeconds(measured.read, COMPARED_BYTES);
  return {
    ...judged(tier.name, seen / expected, thresholds),
    evidence: `tier ${tier.name} reads 16 MB in ${formatSeconds(seen)}, its profile says ${formatSeconds(expected)} (${significant(seen / expected)} times, drift from ${thresholds.slowdown})`,
    measured,
  };
}

/** Between probes: what the last one found. */
function remembered(
  tiers: readonly Tier[],
  checks: Readonly<Record<string, { checkedAt: string; slowdown?: number | undefined }>>,
  thresholds: DriftThresholds,
): DriftFinding[] {
  return tiers.flatMap((tier) => {
    const known = checks[tier.name];
    if (known?.slowdown === undefined) return [];
    return [
      {
        ...judged(tier.name, known.slowdown, thresholds),
        drifted: false,
        evidence: `tier ${tier.name} took ${significant(known.slowdown)} times its profile's time when it was probed at ${known.checkedAt}`,
      },
    ];
  });
}

function judged(subject: string, slowdown: number, thresholds: DriftThresholds) {
  return {
    check: 'tier-speed',
    subject,
    value: slowdown,
    threshold: thresholds.slowdown,
    drifted: slowdown > thresholds.slowdown || slowdown < 1 / thresholds.slowdown,
  };
}
