import type { Trace } from '../traces/trace.js';
import type { Compression } from './compression.js';

/** How a policy compresses what it stores for the first time. */
export interface LevelRule {
  /** The level at which request r stores a block that is not kept. */
  levelFor(request: number, block: number): number;
}

/** Everything at one level. */
export function fixedLevel(level: number): LevelRule {
  return { levelFor: () => level };
}

/**
 * The class rule: for each class the level of fewest bytes whose mean quality for the class is at least
 * `quality`; the uncompressed cache where no other level has it.
 */
export function classRule(
  trace: Pick<Trace, 'classOf'>,
  compression: Compression,
  quality: number,
): LevelRule {
  const byCurve = Int32Array.from({ length: compression.curves }, (_, curve) =>
    smallestLevel(compression, curve, quality),
  );
  return { levelFor: (request) => byCurve[trace.classOf[request]! + 1]! };
}

/** The level of fewest bytes whose quality for a curve is at least so; the uncompressed cache where no other has it. */
export function smallestLevel(compression: Compression, curve: number, quality: number): number {
  const { levels, bytesFraction, quality: qualities } = compression;
  const first = curve * levels.length;
  let best = 0;
  for (let level = 1; level < levels.length; level++) {
    const fewer = bytesFraction[first + level]! < bytesFraction[first + best]!;
    if (fewer && qualities[first + level]! >= quality) best = level;
  }
  return best;
}

/**
 * Every class rule there is, from the fewest bytes to the best quality, the uncompressed cache last: by curve the
 * level. None stores a class below quality `least`.
 */
export function classRulesFrom(compression: Compression, least = 0): number[][] {
  const { curves, quality } = compression;
  const asked = [...new Set(quality)].filter((q) => q >= least).sort((a, b) => a - b);
  return asked.map((floor) =>
    Array.from({ length: curves }, (_, curve) => smallestLevel(compression, curve, floor)),
  );
}
