import type { PolicyResult, ReplayResult } from '../formats/replay.js';
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
  terminal.table(['policy', ...columns.map((column) => column.head)], [...rows, best]);
  if (result.reuse === 'documents')
    terminal.say('Documents count as reusable in any position, which is optimistic: engines reuse prefixes.');
  if (result.policies.some((policy) => policy.saturated === true))
    terminal.say(
      'Saturated: the prefill servers are busier than 95 %, the queue grows without end; no ratio against such a policy means anything.',
    );
}

function columnsOf(result: ReplayResult, inputs: Inputs): Column[] {
  const hitRate: Column =
    result.reuse === 'documents'
      ? { head: 'document hits', of: (p) => p.documentHitRate ?? 0, show: formatShare, better: 'more' }
      : { head: 'prefix hits', of: (p) => p.prefixHitRate, show: formatShare, better: 'more' };
  return [
    hitRate,
    ...inputs.tiers.map((tier) => ({
      head: `from ${tier.name}`,
      of: (p: PolicyResult) => p.hitShare[tier.name] ?? 0,
      show: formatShare,
    })),
    { head: 'mean TTFT', of: (p) => p.ttft.mean, show: formatSeconds, better: 'less' },
    { head: 'p99 TTFT', of: (p) => p.ttft.p99, show: formatSeconds, better: 'less' },
    { head: 'quality', of: (p) => p.meanQuality, show: (value) => value.toFixed(3), better: 'more' },
    { head: 'read', of: (p) => total(p.bytesRead), show: formatBytes },
    { head: 'written', of: (p) => total(p.bytesWritten), show: formatBytes },
    { head: 'busy engines', of: (p) => p.utilization, show: (value) => value.toFixed(2), better: 'less' },
  ];
}

function winner(column: Column, policies: readonly PolicyResult[]): string {
  if (column.better === undefined) return '';
  const sign = column.better === 'more' ? 1 : -1;
  const candidates = policies.filter((policy) => !CLAIRVOYANT.test(policy.policy));
  const best = Math.max(...candidates.map((policy) => sign * column.of(policy)));
  const winners = candidates.filter((policy) => sign * column.of(policy) === best);
  return winners.length === 1 ? winners[0]!.policy : winners.length === candidates.length ? 'all' : 'several';
}

function total(byTier: Readonly<Record<string, number>>): number {
  return Object.values(byTier).reduce((sum, bytes) => sum + bytes, 0);
}
