import { transferSeconds } from '../../cost/transfer.js';
import { EvicpressError } from '../../errors.js';
import type { Tier } from '../../formats/tiers.js';
import { formatSeconds } from '../../units.js';
import { profileOf } from './corrections.js';
import type { DriftFinding } from './drift/check.js';
import type { TurnInputs, TurnOptions, TurnTools } from './options.js';
import type { RefreshState } from './state.js';

/** Less time than this measures nothing that a probe has not. */
const SHORTEST_MEASUREMENT_SECONDS = 4;

/** Whether tiers are to be probed in this turn. A clock that was set back makes a probe due, too. */
export function probesDue(state: RefreshState, options: TurnOptions, now: Date): boolean {
  if (options.probeEverySeconds === null) return false;
  const { checkedAt } = state.tierProbes;
  if (checkedAt === null) return true;
  const elapsed = (now.getTime() - Date.parse(checkedAt)) / 1000;
  return !(elapsed >= 0 && elapsed < options.probeEverySeconds);
}

/**
 * Takes note of what the probes found. A tier that drifted is measured again for longer, as the budget allows, and
 * that measurement corrects its profile.
 */
export async function rememberProbes(
  state: RefreshState,
  findings: readonly DriftFinding[],
  inputs: TurnInputs,
  options: TurnOptions,
  tools: TurnTools,
): Promise<RefreshState> {
  const probed = findings.filter(({ check }) => check === 'tier-speed');
  const drifted = probed.filter((finding) => finding.drifted && finding.measured !== undefined);
  const seconds = options.budgetSeconds / Math.max(1, drifted.length);
  const measuredAt = tools.now().toISOString();
  const tierChecks = { ...state.tierChecks };
  const tierCorrections = { ...state.tierCorrections };
  for (const { subject, value, gone } of probed) {
    if (gone === true) tierChecks[subject] = { checkedAt: measuredAt, gone };
    else if (value !== null) tierChecks[subject] = { checkedAt: measuredAt, slowdown: value };
  }
  for (const { subject, measured } of drifted) {
    const tier = inputs.tiers.find((entry) => entry.name === subject)!;
    const { read } = await measuredAgain(tier, measured!, seconds, tools);
    tierCorrections[subject] = { profile: profileOf(inputs), measuredAt, read: withoutSamples(read) };
    tools.tell(
      'info',
      `tier ${subject} was measured anew: 16 MB in ${formatSeconds(transferSeconds(read, 16e6))}`,
    );
  }
  return { ...state, tierChecks, tierCorrections, tierProbes: { checkedAt: measuredAt } };
}

async function measuredAgain(tier: Tier, probe: Tier, seconds: number, tools: TurnTools): Promise<Tier> {
  if (seconds < SHORTEST_MEASUREMENT_SECONDS) return probe;
  try {
    return await tools.measureTier(tier, seconds);
  } catch (error) {
    if (error instanceof EvicpressError) return probe;
    throw error;
  }
}

function withoutSamples(read: Tier['read']): Tier['read'] {
  const { latencySeconds, bytesPerSecond, byStreams, table } = read;
  return {
    latencySeconds,
    bytesPerSecond,
    ...(byStreams === undefined ? {} : { byStreams }),
    ...(table === undefined ? {} : { table }),
  };
}
