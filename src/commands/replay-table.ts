import type { PolicyResult, ReplayResult } from '../formats/replay.js';
import { HIT_SHARE, MEAN_QUALITY, MEAN_TTFT, type WindowedFigure, withinNoise } from '../replay/noise.js';
import type { Terminal } from '../report/terminal.js';
import { formatBytes, formatCount, formatSeconds, formatShare } from '../units.js';
import type { Inputs } from './inputs.js';
import { describeInputs } from './replay-inputs.js';

/** A column: how a figure is shown, and which end of it is better. */
interface Column {
  readonly head: string;
  readonly of: (result: PolicyResult) => number;
  readonly show: (value: number) => string;
  readonly better?: 'more' | 'less';
  /** The same figure by time window, where it has one: whether a difference is noise can then be said. */
  readonly windowed?: WindowedFigure;
  /** What no policy beats. */
  readonly bound?: number | undefined;
}

/** Policies that look ahead bound the others; they win no column. */
const CLAIRVOYANT = /^belady(\+|$)/;

/** Prints one log's comparison: a row per policy, the winner of each column in the last row. */
export function printReplay(terminal: Terminal, result: ReplayResult, inputs: Inputs): void {
  const scored = result.requests - result.warm;
  terminal.say(
    `\n${String(result.log)}: ${formatCount(result.requests)} requests, the last ${formatCount(scored)} scored. ${inputs.tiers
      .map((tier) => `${tier.name} ${formatBytes(tier.capacityBytes)}`)
      .join(', ')}; ${describeInputs(inputs)}.\n`,
  );
  const columns = columnsOf(result, inputs);
  const rows = result.policies.map((policy) => [
    policy.saturated === true ? `${policy.policy} (saturated)` : policy.policy,
    ...columns.map((column) => column.show(column.of(policy))),
  ]);
  const best = ['best', ...columns.map((column) => winner(column, result.policies))];
  const bound = columns.map((column) => (column.bound === undefined ? '' : column.show(column.bound)));
  const last = result.bound === undefined ? [best] : [best, ['bound', ...bound]];
  terminal.table(['policy', ...columns.map((column) => column.head)], [...rows, ...last]);
  if (result.bound !== undefined)
    terminal.say(
      'bound: no policy, whatever it knows, serves more, or is faster at the lowest quality above; in the bound nobody waits.',
    );
  for (const line of noiseLines(columns, result.policies)) terminal.say(line);
  for (const line of sweepLines(result.policies)) terminal.say(line);
  if (result.reuse === 'documents')
    terminal.say('Documents count as reusable in any position, which is optimistic: engines reuse prefixes.');
  if (result.policies.some((policy) => policy.saturated === true))
    terminal.say(
      'Saturated: the prefill servers are busier than 95 %, the queue grows without end; no ratio against such a policy means anything.',
    );
}

/** Which policies a column cannot tell from its best one. */
function noiseLines(columns: readonly Column[], policies: readonly PolicyResult[]): string[] {
  return columns.flatMap((column) => {
    const { windowed } = column;
    const best = bestOf(column, policies);
    if (windowed === undefined || best.length !== 1) return [];
    const [first] = best;
    const alike = candidatesOf(policies).filter(
      (policy) =>
        policy !== first && withinNoise(first!.series ?? [], policy.series ?? [], windowed) === true,
    );
    if (alike.length === 0) return [];
    const names = alike.map((policy) => policy.policy).join(', ');
    return [
      `${column.head}: ${names} ${alike.length === 1 ? 'is' : 'are'} within noise of ${first!.policy} (bootstrap over ${first!.series!.length} time windows).`,
    ];
  });
}

/** How far the load may grow, where a target was given. */
function sweepLines(policies: readonly PolicyResult[]): string[] {
  return policies.flatMap(({ policy, sweep }) => {
    if (sweep === undefined) return [];
    const { statistic, seconds } = sweep.target;
    const target = `${statistic} TTFT ≤ ${formatSeconds(seconds)}`;
    return [
      sweep.maxLoad === 0
        ? `${policy}: ${target} holds at no load.`
        : `${policy}: ${target} holds up to ${sweep.maxRequestsPerSecond.toPrecision(3)} requests/s, ${sweep.maxLoad.toPrecision(3)} times the log's load.`,
    ];
  });
}

function columnsOf(result: ReplayResult, inputs: Inputs): Column[] {
  const lowest = Math.min(...(result.bound?.ttft ?? []).map((point) => point.meanSeconds));
  const hitRate: Column =
    result.reuse === 'documents'
      ? { head: 'document hits', of: (p) => p.documentHitRate ?? 0, show: formatShare, better: 'more' }
      : {
          head: 'prefix hits',
          of: (p) => p.prefixHitRate,
          show: formatShare,
          better: 'more',
          windowed: HIT_SHARE,
          bound: result.bound?.prefixHitRate,
        };
  return [
    hitRate,
    ...inputs.tiers.map((tier) => ({
      head: `from ${tier.name}`,
      of: (p: PolicyResult) => p.hitShare[tier.name] ?? 0,
      show: formatShare,
    })),
    {
      head: 'mean TTFT',
      of: (p) => p.ttft.mean,
      show: formatSeconds,
      better: 'less',
      windowed: MEAN_TTFT,
      bound: Number.isFinite(lowest) ? lowest : undefined,
    },
    { head: 'p99 TTFT', of: (p) => p.ttft.p99, show: formatSeconds, better: 'less' },
    {
      head: 'quality',
      of: (p) => p.meanQuality,
      show: (value) => value.toFixed(3),
      better: 'more',
      windowed: MEAN_QUALITY,
    },
    { head: 'read', of: (p) => total(p.bytesRead), show: formatBytes },
    { head: 'written', of: (p) => total(p.bytesWritten), show: formatBytes },
    { head: 'busy engines', of: (p) => p.utilization, show: (value) => value.toFixed(2), better: 'less' },
  ];
}

function winner(column: Column, policies: readonly PolicyResult[]): string {
  if (column.better === undefined) return '';
  const winners = bestOf(column, policies);
  if (winners.length === 1) return winners[0]!.policy;
  return winners.length === candidatesOf(policies).length ? 'all' : 'several';
}

function candidatesOf(policies: readonly PolicyResult[]): PolicyResult[] {
  return policies.filter((policy) => !CLAIRVOYANT.test(policy.policy));
}

function bestOf(column: Column, policies: readonly PolicyResult[]): PolicyResult[] {
  const sign = column.better === 'more' ? 1 : -1;
  const candidates = candidatesOf(policies);
  const best = Math.max(...candidates.map((policy) => sign * column.of(policy)));
  return candidates.filter((policy) => sign * column.of(policy) === best);
}

function total(byTier: Readonly<Record<string, number>>): number {
  return Object.values(byTier).reduce((sum, bytes) => sum + bytes, 0);
}
