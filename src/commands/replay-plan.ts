import { printable } from '../errors.js';
import type { ReplayResult } from '../formats/replay.js';
import type { PlanFit } from '../replay/plan-fit.js';
import { formatCount, formatSeconds, formatShare } from '../units.js';
import type { Inputs } from './inputs.js';

/** The policy that follows a plan. */
const FOLLOWER = 'evicpress';
/** Names said of those that a replay lacks. */
const SAID = 5;

/** Why a replay is not of what was planned, a sentence each; none where the plan fits. */
export function planMisfits(
  { contexts, contextsInLog, otherModel, elsewhere, unknownForms }: PlanFit,
  { model, tiers }: Inputs,
  policies: readonly string[],
): string[] {
  const faults: string[] = [];
  if (!policies.includes(FOLLOWER))
    faults.push(`only policy ${FOLLOWER} follows a plan, and it is not replayed. Add it to --policies.`);
  if (otherModel !== undefined)
    faults.push(
      `it is for model ${printable(otherModel)}, the replay for ${model.name}. Name the model with --model.`,
    );
  if (elsewhere.length > 0)
    faults.push(
      `${counted(elsewhere.length)} in tiers that the replay does not have (${someOf(elsewhere.map((row) => row.tier))}; it has ${tiers.map((tier) => tier.name).join(', ')}). Name the plan's with --tiers.`,
    );
  if (unknownForms.length > 0)
    faults.push(
      `${counted(unknownForms.length)} compressed in ways the replay has no figures for (${someOf(unknownForms.map((row) => `${row.method}@${row.compressionRatio}`))}): here they are stored whole. Name the plan's profile with --methods.`,
    );
  if (contexts > 0 && contextsInLog === 0)
    faults.push(`none of its ${formatCount(contexts)} contexts is in the log.`);
  return faults.map((fault) => `--plan: ${fault}`);
}

/** What was predicted beside what came of it; undefined where no policy followed the plan. */
export function predictionSentence({ plan, policies }: ReplayResult): string | undefined {
  const replayed = policies.find(({ policy }) => policy === FOLLOWER);
  if (plan === undefined || replayed?.reuseTtftSeconds === undefined) return undefined;
  const { contexts, contextsInLog, meanTtftSeconds: promised, meanQuality } = plan;
  const seconds = replayed.reuseTtftSeconds;
  const off =
    promised > 0
      ? ` (${formatShare(Math.abs(seconds / promised - 1))} ${seconds < promised ? 'less' : 'more'})`
      : '';
  return `The plan, ${formatCount(contextsInLog)} of whose ${formatCount(contexts)} contexts are in the log, predicts ${formatSeconds(promised)} of TTFT for what is reused, at quality ${meanQuality.toFixed(3)}; replayed it took ${formatSeconds(seconds)}${off}, at ${replayed.reuseQuality!.toFixed(3)}.`;
}

function counted(contexts: number): string {
  return `${formatCount(contexts)} of its contexts ${contexts === 1 ? 'is' : 'are'}`;
}

/** The first few distinct names, and that there are more. */
function someOf(names: readonly string[]): string {
  const distinct = [...new Set(names)].map((name) => printable(name, 40));
  return `${distinct.slice(0, SAID).join(', ')}${distinct.length > SAID ? ', …' : ''}`;
}
