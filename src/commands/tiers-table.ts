import type { Tier, Transfer } from '../formats/tiers.js';
import type { Terminal } from '../report/terminal.js';
import { formatBytes, formatBytesPerSecond, formatSeconds, formatShare } from '../units.js';

/** What a measured tier carries beside the fields of every tier. */
type Judged = Tier & { readonly verdict?: { readonly level: string; readonly reasons: readonly string[] } };

/** The tiers as a table, and below it why any of them is to be believed less. */
export function printTiers(terminal: Terminal, tiers: readonly Tier[]): void {
  terminal.table(
    ['tier', 'kind', 'capacity', 'latency', 'read, 1 stream', 'read, best', 'write', 'error', 'verdict'],
    tiers.map((tier) => [
      tier.name,
      tier.kind,
      formatBytes(tier.capacityBytes),
      formatSeconds(tier.read.latencySeconds),
      formatBytesPerSecond(tier.read.bytesPerSecond),
      bestRate(tier.read),
      tier.write === undefined ? '' : formatBytesPerSecond(tier.write.bytesPerSecond),
      tier.read.medianRelativeError === undefined ? '' : formatShare(tier.read.medianRelativeError),
      (tier as Judged).verdict?.level ?? tier.source ?? '',
    ]),
  );
  for (const tier of tiers as readonly Judged[]) {
    for (const reason of tier.verdict?.reasons ?? []) terminal.say(`  ${tier.name}: ${reason}`);
  }
}

/** The largest bandwidth over all numbers of streams, and at how many it is reached. */
function bestRate(transfer: Transfer): string {
  const points = transfer.byStreams ?? [{ streams: 1, bytesPerSecond: transfer.bytesPerSecond }];
  const best = points.reduce((a, b) => (b.bytesPerSecond > a.bytesPerSecond ? b : a));
  return `${formatBytesPerSecond(best.bytesPerSecond)} (${best.streams})`;
}
