import { RECOMPUTE } from '../formats/names.js';
import type { PolicyResult, ReplayResult } from '../formats/replay.js';
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatSeconds,
  formatShare,
  significant,
} from '../units.js';
import type { Evidence, PlanEvidence } from './evidence.js';
import { groupTotals, totalRequests } from './placements.js';
import { isFull, NOTHING_PLANNED } from './plan-summary.js';

/** The answer in sentences and the few figures worth a tile. */
export interface Answer {
  readonly sentences: readonly string[];
  readonly figures: readonly KeyFigure[];
}

export interface KeyFigure {
  readonly label: string;
  readonly value: string;
  /** What the value is compared with, or how it is known. */
  readonly note: string;
}

/** Policies that know the future: a bound for the others, not a choice. */
export const CLAIRVOYANT = /^belady(\+|$)/;

/** The answer first: what the plan gives, against LRU, against the best possible, and what limits it. */
export function answerOf(evidence: Evidence): Answer {
  const { plan } = evidence;
  const replays = evidence.replays.map(compare);
  const sentences = [
    ...(plan === undefined ? ['There is no plan yet.'] : planSentences(plan)),
    ...evidence.replays.map(replaySentence),
    ...(plan === undefined ? [] : bottleneck(plan)),
  ];
  const figures = [...(plan === undefined ? [] : planFigures(plan)), ...replays.flatMap((r) => r.figures)];
  return { sentences, figures };
}

/**
 * The least mean TTFT any plan could have at this plan's mean quality. Utility is Σ f·(alpha·quality − TTFT),
 * so the gap to the bound, spread over the requests, is all that is left to win.
 */
export function bestPossibleTtft({ header, placements }: PlanEvidence): number {
  const requests = totalRequests(placements);
  const left = requests === 0 ? 0 : header.summary.gap / requests;
  return Math.max(0, header.summary.meanTtftSeconds - left);
}

function planSentences(plan: PlanEvidence): string[] {
  const { summary, tiers } = plan.header;
  if (summary.contexts === 0) return [NOTHING_PLANNED];
  const room = tiers
    .filter((tier) => tier.capacityBytes !== null && tier.capacityBytes > 0)
    .map((tier) => `${formatBytes(tier.capacityBytes)} of ${tier.name}`);
  const best = bestPossibleTtft(plan);
  const left =
    formatSeconds(best) === formatSeconds(summary.meanTtftSeconds)
      ? 'and it is proved that no plan does better by an amount worth mentioning'
      : `and it is proved that no plan at this quality can be faster than ${formatSeconds(best)}`;
  return [
    `With ${room.length === 0 ? 'the tiers given' : listOf(room)}, this plan brings reused context back in ${formatSeconds(summary.meanTtftSeconds)} on average (its part of the time to first token), at quality ${summary.meanQuality.toFixed(3)} of 1, ${left}.`,
  ];
}

function planFigures(plan: PlanEvidence): KeyFigure[] {
  const { summary } = plan.header;
  const requests = totalRequests(plan.placements);
  const kept = groupTotals(plan.placements).filter((group) => group.tier !== RECOMPUTE);
  const keptShare = kept.reduce((sum, group) => sum + group.requests, 0) / Math.max(requests, 1e-300);
  const optimal = summary.gap <= Math.abs(summary.bound) * 1e-12;
  return [
    {
      label: 'Mean TTFT of reuse',
      value: formatSeconds(summary.meanTtftSeconds),
      note: `best any plan could do: ${formatSeconds(bestPossibleTtft(plan))}`,
    },
    { label: 'Mean quality', value: summary.meanQuality.toFixed(3), note: '1 is the uncompressed cache' },
    {
      label: 'Short of the best plan',
      value: optimal ? '0 %' : percentText(summary.gapOfSpan),
      note: `at most, of what placement can win: proved by solver ${summary.solver}`,
    },
    {
      label: 'Reuse served from a cache',
      value: formatShare(keptShare),
      note: `of ${formatCount(summary.contexts)} contexts; the rest is computed anew`,
    },
  ];
}

/** A small share without a row of zeros. */
function percentText(share: number): string {
  if (share === 0) return '0 %';
  if (share < 1e-6) return '< 0.0001 %';
  return `${significant(100 * share, 2)} %`;
}

/** What a replay says to somebody who decides: the plan's policy, or the best of those compared, beside LRU. */
export function replaySentence(replay: ReplayResult): string {
  const [sentence] = compare(replay).sentences;
  if (sentence !== undefined) return sentence;
  const judged = replay.policies.filter(
    (policy) => policy.saturated !== true && !CLAIRVOYANT.test(policy.policy),
  );
  if (judged.length === 0)
    return 'No policy can be judged: the prefill servers are saturated. Replay with more of them: --engines.';
  const fastest = judged.reduce((a, b) => (b.ttft.mean < a.ttft.mean ? b : a));
  return `Of what was compared, ${fastest.policy} answers the first token soonest: ${formatSeconds(fastest.ttft.mean)} on average, at quality ${fastest.meanQuality.toFixed(3)}.`;
}

function compare(replay: ReplayResult): Answer {
  const own = bestOwn(replay.policies);
  const lru = replay.policies.find((policy) => policy.policy === 'lru');
  const scored = formatCounted(replay.requests - replay.warm, 'request');
  const log = typeof replay.log === 'string' ? ` of ${fileName(replay.log)}` : '';
  if (own === undefined || lru === undefined) return { sentences: [], figures: [] };
  const head = `Replayed on ${scored}${log}, ${own.policy} answers the first token in ${formatSeconds(own.ttft.mean)} on average at quality ${own.meanQuality.toFixed(3)}, LRU in ${formatSeconds(lru.ttft.mean)} at ${lru.meanQuality.toFixed(3)}`;
  if (own.saturated === true || lru.saturated === true)
    return {
      sentences: [`${head}; the prefill servers are saturated, so the two must not be compared.`],
      figures: [],
    };
  const change = 1 - own.ttft.mean / lru.ttft.mean;
  const verdict =
    Math.abs(change) < 0.005
      ? 'no difference worth mentioning'
      : `${formatShare(Math.abs(change))} ${change > 0 ? 'faster' : 'slower'}`;
  const ideal = replay.policies.filter((policy) => CLAIRVOYANT.test(policy.policy));
  const bound =
    ideal.length === 0
      ? ''
      : ` Knowing the future, ${ideal[0]!.policy} would need ${formatSeconds(ideal[0]!.ttft.mean)}.`;
  return {
    sentences: [`${head}: ${verdict}.${bound}`],
    figures: [
      {
        label: `TTFT against LRU${log === '' ? '' : `, ${fileName(String(replay.log))}`}`,
        value:
          Math.abs(change) < 0.005 ? '± 0 %' : `${change > 0 ? '−' : '+'}${formatShare(Math.abs(change))}`,
        note: `whole requests: ${formatSeconds(own.ttft.mean)} against ${formatSeconds(lru.ttft.mean)}`,
      },
    ],
  };
}

/** The plan's own policy, as it was replayed. */
function bestOwn(policies: readonly PolicyResult[]): PolicyResult | undefined {
  return policies.find((policy) => policy.policy === 'evicpress');
}

/**
 * Which tier's room the plan lacks most. A tier with a price and free room is not it: its price is the bound's, which
 * may keep parts of contexts.
 */
function bottleneck({ header, placements }: PlanEvidence): string[] {
  const requests = totalRequests(placements);
  const priced = header.tiers.filter((tier) => tier.price > 0);
  if (header.summary.contexts === 0) return [];
  if (priced.length === 0) {
    const closed = header.tiers.filter((tier) => tier.capacityBytes === 0).map((tier) => tier.name);
    return closed.length === 0
      ? ['More room in any tier would gain nothing: capacity is not what limits this plan.']
      : [
          `No tier that has room would gain from more; what some would be worth in ${listOf(closed)} was not looked at.`,
        ];
  }
  if (requests === 0) return [];
  const full = priced.filter(isFull);
  const [dearest] = (full.length > 0 ? full : priced).toSorted((a, b) => b.price - a.price);
  const { name, capacityBytes, usedBytes, price } = dearest!;
  const worth = `one more GB there is worth ${formatSeconds((price * 1e9) / requests)} per request`;
  return full.length > 0
    ? [`What limits the plan is ${name}: ${worth}.`]
    : [
        `No tier that more room would help is full: contexts are large beside the ${formatBytes(capacityBytes! - usedBytes)} that are free in ${name}. By the bound, which may keep parts of contexts, ${worth}.`,
      ];
}

/** `a`, `a and b`, `a, b and c`. */
export function listOf(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`;
}

/** A path's last part. */
export function fileName(path: string): string {
  return path.split(/[/\\]/).at(-1)!;
}
