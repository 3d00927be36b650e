import { formatCount, formatShare, significant } from '../units.js';
import type { CarriedOut } from './carried-out.js';
import type { EngineTarget } from './engine.js';

/** What an engine will and will not carry out, in a few lines for people. */
export function carriedOutText(
  verdict: CarriedOut,
  target: EngineTarget,
  warnings: readonly string[] = [],
): string {
  const { contexts, possible, shareOfAccesses, obstacles, utilityLost, perContext } = verdict;
  const lines = [`${target.name}: option names of ${target.checkedAgainst}.`];
  lines.push(
    perContext
      ? `Carries out ${formatCount(possible)} of ${formatCount(contexts)} placements (${formatShare(shareOfAccesses)} of their accesses), context by context.`
      : `Takes the plan's sizes, not its placements. ${formatCount(possible)} of ${formatCount(contexts)} placements (${formatShare(shareOfAccesses)} of their accesses) use tiers and methods it has.`,
  );
  for (const { what, contexts: n } of obstacles)
    lines.push(`Not carried out: ${formatCount(n)} contexts, ${what}.`);
  if (possible < contexts) {
    lines.push(
      utilityLost === null
        ? 'What that costs needs the prefill speed of the model: name it with --model.'
        : `Recomputed instead, these cost ${significant(utilityLost)} s of utility per period (estimated from the plan's figures).`,
      `A plan made with --engine ${target.name} offers only what it can carry out.`,
    );
  }
  lines.push(...warnings);
  for (const note of target.capabilities.notes) lines.push(`- ${note}`);
  return lines.join('\n');
}
