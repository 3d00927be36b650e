import { RECOMPUTE } from '../formats/names.js';
import type { Placement } from '../formats/plan.js';
import type { Trace } from '../traces/trace.js';
import type { Compression } from './compression.js';
import type { PolicySetting } from './policy.js';

/** No row of the plan speaks of the block. */
export const UNPLANNED = -1;

/**
 * By block: the row of the plan that it belongs to, UNPLANNED where none does. A row names a segment's last
 * block; the blocks before it, up to the last block of another row, are the same segment's.
 */
export function planRowOfBlocks(trace: Trace, rows: readonly Placement[]): Int32Array {
  const rowOfId = new Map(rows.map((row, i) => [row.context, i]));
  const rowOf = new Int32Array(trace.tokensOfBlock.length).fill(UNPLANNED);
  trace.blockIds.forEach((id, block) => {
    rowOf[block] = rowOfId.get(id) ?? UNPLANNED;
  });
  if (trace.reuse === 'documents') return rowOf;
  for (let r = 0; r < trace.requests; r++) {
    let row = UNPLANNED;
    for (let k = trace.blockOffsets[r + 1]! - 1; k >= trace.blockOffsets[r]!; k--) {
      const block = trace.blocks[k]!;
      if (rowOf[block] !== UNPLANNED) row = rowOf[block]!;
      else rowOf[block] = row;
    }
  }
  return rowOf;
}

/** The level a row of a plan asks for, −1 where the compression does not know it; 0 for recompute. */
export function levelOfRow({ levels }: Compression, { tier, method, compressionRatio }: Placement): number {
  if (tier === RECOMPUTE) return 0;
  return levels.findIndex(
    (level) => level.method === method && Math.abs(level.compressionRatio - compressionRatio) < 1e-9,
  );
}

/** By row of a plan: the level it asks for; 0 for recompute and for a level the compression does not know. */
export function levelsOfRows(compression: Compression, rows: readonly Placement[]): Int32Array {
  return Int32Array.from(rows, (row) => Math.max(0, levelOfRow(compression, row)));
}

/** By block: the level that the plan's rows ask for, UNPLANNED where none speaks of it. */
export function plannedLevels({ trace, store, plan }: PolicySetting): Int32Array | undefined {
  if (plan === undefined) return undefined;
  const levelOfRow = levelsOfRows(store.compression, plan.rows);
  return planRowOfBlocks(trace, plan.rows).map((row) => (row === UNPLANNED ? UNPLANNED : levelOfRow[row]!));
}
