import { printable } from '../errors.js';
import { type Plan, RECOMPUTE } from '../formats/plan.js';
import type { ReplayResult } from '../formats/replay.js';
import type { Compression } from '../replay/compression.js';
import { levelOfRow } from '../replay/plan-levels.js';
import type { Trace } from '../traces/trace.js';
import { formatCount, formatSeconds, formatShare } from '../units.js';
import type { Inputs } from './inputs.js';

/** The policy that follows a plan. */
const FOLLOWER = 'evicpress';
/** Names said of those that a replay lacks. */
const SAID = 5;

/** What a replay's result says of the plan it followed: its prediction, and how much of it the log has. */
export function planFacts({ header, rows }: Plan, { blockIds }: Trace): NonNullable<ReplayResult['plan']> {
  const known = new Set(blockIds);
  return {
    contexts: rows.length,
    contextsInLog: rows.reduce((sum, { context }) => sum + (known.has(context) ? 1 : 0), 0),
    meanTtftSeconds: header.summary.meanTtftSeconds,
    meanQuality: header.summary.meanQuality,
  };
}

/** Why a replay is not of what was planned, a sentence each; none where the plan fits. */
export function planMisfits(
  { header, rows }: Plan,
  { contexts, contextsInLog }: NonNullable<ReplayResult['plan']>,
  { model, tiers }: Inputs,
  compression: Compression,
  policies: readonly string[],
): string[] {
  const faults: string[] = [];
  if (!policies.includes(FOLLOWER))
    faults.push(`only policy ${FOLLOWER} follows a plan, and it is not replayed. Add it to --policies.`);
  if (header.model !== null && header.model !== model.name)
    faults.push(
      `it is for model ${printable(header.model)}, the replay for ${model.name}. Name the model with --model.`,
    );
  const tierNames = tiers.map((tier) => tier.name);
  const elsewhere = rows.filter(({ tier }) => tier !== RECOMPUTE && !tierNames.includes(tier));
  if (elsewhere.length > 0)
    faults.push(
      `${counted(elsewhere.length)} in tiers that the replay does not have (${someOf(elsewhere.map((row) => row.tier))}; it has ${tierNames.join(', ')}). Name the plan's with --tiers.`,
    );
  const unknown = rows.filter((row) => levelOfRow(compression, row) === -1);
  if (unknown.length > 0)
    faults.push(
      `${counted(unknown.length)} compressed in ways the replay has no figures for (${someOf(unknown.map((row) => `${row.method}@${row.compressionRatio}`))}): here they are stored whole. Name the plan's profile with --methods.`,
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
