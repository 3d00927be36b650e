import type { Problem } from './problem.js';
import type { Row } from './rows.js';
import { pickContexts } from './sample.js';
import { Scan, type Split } from './scan.js';
import { tallied } from './tally.js';

/** A box of prices, by row. */
export interface Box {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** The contexts that some boxes leave open, and what one of them settles. */
export interface Core {
  readonly problem: Problem;
  /** Choices and open contexts are the problem's; the sums include all contexts that are no part of it. */
  readonly split: Split;
}

/** Where a wider box leaves more than this share of the contexts open it spares the boxes inside it nothing. */
const SPARED = 0.75;
/** Where prices lie this many times apart it is not even tried. */
const WIDE = 16;

/**
 * Settles what can be settled in each of many boxes of prices. A context that chooses alike in the box around
 * several of them is settled for all these at once: each half of them then looks at the others only, and so on down.
 * @param boxes neighbours near each other.
 * @param visit told the boxes one after the other in their order, each with a way to get the core of it or of any box
 * inside it.
 */
export function nestedCores(
  problem: Problem,
  rows: readonly Row[],
  boxes: readonly Box[],
  visit: (k: number, coreIn: (box: Box) => Core) => void,
): void {
  const descend = (scan: Scan, settled: Split | undefined, from: number, to: number): void => {
    const splitIn = ({ low, high }: Box) => together(settled, scan.split(low, high));
    if (to - from === 1) {
      visit(from, (box) => ({ problem: scan.problem, split: splitIn(box) }));
      return;
    }
    const middle = (from + to) >> 1;
    const split = isWide(boxes.slice(from, to)) ? undefined : splitIn(hullOf(boxes.slice(from, to)));
    const spared = split !== undefined && split.open.length < SPARED * scan.problem.demand.contexts;
    const inner = spared ? new Scan(pickContexts(scan.problem, split.open), rows) : scan;
    descend(inner, spared ? split : settled, from, middle);
    descend(inner, spared ? split : settled, middle, to);
  };
  if (boxes.length > 0) descend(new Scan(problem, rows), undefined, 0, boxes.length);
}

/** Whether prices differ so much that hardly any context chooses alike; those next to 0 in all boxes do not count. */
function isWide(boxes: readonly Box[]): boolean {
  const { low, high } = hullOf(boxes);
  return low.some((price, r) => high[r]! > WIDE * price && boxes.some((box) => box.low[r]! > 0));
}

/** The smallest box around others. */
function hullOf(boxes: readonly Box[]): Box {
  const low = boxes[0]!.low.slice();
  const high = boxes[0]!.high.slice();
  for (const box of boxes) {
    for (let r = 0; r < low.length; r++) {
      low[r] = Math.min(low[r]!, box.low[r]!);
      high[r] = Math.max(high[r]!, box.high[r]!);
    }
  }
  return { low, high };
}

/** A split of contexts that others left open, with the sums of those. */
export function together(others: Split | undefined, split: Split): Split {
  if (others === undefined) return split;
  return {
    ...split,
    loose: {
      utility: others.loose.utility + split.loose.utility,
      use: others.loose.use.map((amount, r) => amount + split.loose.use[r]!),
    },
    exact: tallied(others.exact, split.exact),
  };
}
