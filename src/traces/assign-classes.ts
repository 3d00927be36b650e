import type { Trace } from './trace.js';

/** A block on this share of the paths is a shared head: it says nothing about the application behind. */
const SHARED_HEAD = 0.05;

/**
 * Draws a class for every request of a log that has none, for experiments: all requests whose paths begin with
 * the same block after the heads that everybody shares get the same class.
 * @param classes the names to draw from, each as likely as any other.
 */
export function assignClasses(trace: Trace, classes: readonly string[], seed: number): Trace {
  const { blocks, blockOffsets, requests } = trace;
  const uses = new Int32Array(trace.tokensOfBlock.length);
  for (const block of blocks) uses[block]!++;
  const classOf = new Int32Array(requests);
  for (let r = 0; r < requests; r++) {
    const end = blockOffsets[r + 1]!;
    let k = blockOffsets[r]!;
    while (k + 1 < end && uses[blocks[k]!]! > SHARED_HEAD * requests) k++;
    classOf[r] = Math.floor(drawOf(k < end ? blocks[k]! : r, seed) * classes.length);
  }
  return {
    ...trace,
    blockIds: trace.blockIds,
    classOf,
    classes,
    warnings: [
      ...trace.warnings,
      `Classes were drawn at random (seed ${seed}): an experiment, not this log's own.`,
    ],
  };
}

/** A number in [0, 1) that depends on block and seed alone. */
function drawOf(block: number, seed: number): number {
  let hash = Math.imul(block + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  for (let i = 0; i < 3; i++) {
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    hash ^= hash >>> 13;
  }
  return (hash >>> 0) / 2 ** 32;
}
