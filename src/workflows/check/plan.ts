import { printable } from '../../errors.js';
import { RECOMPUTE, UNCOMPRESSED } from '../../formats/names.js';
import type { Placement, PlanHeader } from '../../formats/plan.js';
import type { Faults } from './faults.js';

/** Sums of bytes nearer than this share are the same. */
const ROUNDING = 1e-9;

/**
 * What is wrong with a plan whose rows are sound one by one: placements in tiers it does not have, bytes for what is
 * recomputed, contexts kept without the prefix they stand on, tiers said to be fuller or emptier than the rows are.
 */
export class PlanCheck {
  private readonly usedBytes: Map<string, number>;
  /** Contexts that are recomputed, and those that are kept behind another one, with their lines. */
  private readonly recomputed = new Set<string>();
  private readonly behind: { readonly context: string; readonly parent: string; readonly line: number }[] =
    [];

  constructor(
    private readonly header: PlanHeader,
    private readonly faults: Faults,
  ) {
    this.usedBytes = new Map(header.tiers.map(({ name }) => [name, 0]));
  }

  row(row: Placement, line: number): void {
    const { context, parent, tier, method, storedBytes, quality } = row;
    if (tier === RECOMPUTE) {
      this.recomputed.add(context);
      if (method !== UNCOMPRESSED || row.compressionRatio !== 0 || storedBytes !== 0 || quality !== 1)
        this.faults.add(
          'what is recomputed has method none, ratio 0, 0 bytes and quality 1, and nothing else.',
          line,
        );
      return;
    }
    if (parent !== undefined) this.behind.push({ context, parent, line });
    const used = this.usedBytes.get(tier);
    if (used === undefined)
      this.faults.add(
        `tier "${printable(tier, 40)}" is none of the plan's: ${[...this.usedBytes.keys()].join(', ')}, ${RECOMPUTE}.`,
        line,
      );
    else this.usedBytes.set(tier, used + storedBytes);
  }

  /** All rows have been seen. */
  end(): void {
    const allRowsCount = this.faults.none;
    for (const { context, parent, line } of this.behind)
      if (this.recomputed.has(parent))
        this.faults.add(
          `context "${printable(context, 60)}" is kept, but its parent "${printable(parent, 60)}" is not: nothing can reach it.`,
          line,
        );
    if (!allRowsCount) return;
    for (const { name, usedBytes } of this.header.tiers) {
      const sum = this.usedBytes.get(name)!;
      if (Math.abs(sum - usedBytes) > ROUNDING * Math.max(sum, usedBytes))
        this.faults.add(`tier ${name} is said to hold ${usedBytes} bytes; the rows make ${sum}.`, 1);
    }
  }
}
