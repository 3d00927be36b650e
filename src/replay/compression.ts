import { EvicpressError, errors, printable } from '../errors.js';
import { ANY_CONTEXT, UNCOMPRESSED } from '../formats/names.js';
import type { CurveBook } from '../plan/curves.js';
import type { Trace } from '../traces/trace.js';

/** A profiled ratio this near to the one asked for is meant. */
const RATIO_TOLERANCE = 0.01;

/** One way to store a cache. */
export interface Level {
  readonly method: string;
  readonly compressionRatio: number;
}

/**
 * What every level does to every curve: the classless one (0) and each class's (1 + class). Columns are
 * indexed by `curve · levels.length + level`; level 0 is the uncompressed cache. A level that a curve has no
 * rows for stores it whole.
 */
export interface Compression {
  readonly levels: readonly Level[];
  readonly curves: number;
  readonly bytesFraction: Float64Array;
  readonly quality: Float64Array;
  /** Seconds per byte of the uncompressed cache. */
  readonly decompressSecondsPerByte: Float64Array;
}

/** A method profile fitted for the classes of a log (contract, "Method profile"); none is level 0 alone. */
export function compressionOf(trace: Pick<Trace, 'classes'>, curves: CurveBook | undefined): Compression {
  const names = [undefined, ...trace.classes];
  const forms = names.map((name) => curves?.formsOf(ANY_CONTEXT, name) ?? []);
  const levels: Level[] = [{ method: UNCOMPRESSED, compressionRatio: 0 }];
  for (const { method, compressionRatio } of forms.flat()) {
    const known = levels.some(
      (level) => level.method === method && level.compressionRatio === compressionRatio,
    );
    if (!known) levels.push({ method, compressionRatio });
  }
  const size = names.length * levels.length;
  const bytesFraction = new Float64Array(size).fill(1);
  const quality = new Float64Array(size).fill(1);
  const decompressSecondsPerByte = new Float64Array(size);
  forms.forEach((list, curve) => {
    for (const form of list) {
      const level = levels.findIndex(
        (other) => other.method === form.method && other.compressionRatio === form.compressionRatio,
      );
      const at = curve * levels.length + level;
      bytesFraction[at] = form.storedBytes / form.ofBytes;
      quality[at] = form.quality;
      decompressSecondsPerByte[at] = form.decompressSecondsPerByte;
    }
  });
  return { levels, curves: names.length, bytesFraction, quality, decompressSecondsPerByte };
}

/**
 * The level that `method` or `method@ratio` names.
 * @throws EvicpressError where the profile has no such method or no ratio within .01.
 */
export function levelNamed(compression: Compression, name: string): number {
  const at = name.lastIndexOf('@');
  const method = at === -1 ? name : name.slice(0, at);
  const { levels } = compression;
  const ofMethod = levels.map((_, i) => i).filter((i) => levels[i]!.method === method);
  if (ofMethod.length === 0) {
    if (levels.length === 1)
      throw new EvicpressError(
        `A policy with +${printable(name)} needs a method profile. Pass one with --methods, or measure one with \`evicpress profile methods\`.`,
      );
    throw errors.unknownName('method', method, [...new Set(levels.map((level) => level.method))]);
  }
  const ratios = ofMethod.map((i) => levels[i]!.compressionRatio).sort((a, b) => a - b);
  if (at === -1) {
    if (ofMethod.length === 1) return ofMethod[0]!;
    throw new EvicpressError(
      `Method ${method} has several ratios. Say which: ${ratios.map((ratio) => `${method}@${ratio}`).join(', ')}.`,
    );
  }
  const asked = Number(name.slice(at + 1));
  const nearest = ofMethod.reduce((best, i) =>
    Math.abs(levels[i]!.compressionRatio - asked) < Math.abs(levels[best]!.compressionRatio - asked)
      ? i
      : best,
  );
  const off = Math.abs(levels[nearest]!.compressionRatio - asked);
  if (!(off <= RATIO_TOLERANCE + 1e-9)) {
    throw new EvicpressError(
      `Method ${method} was not profiled at ratio "${printable(name.slice(at + 1))}". Profiled: ${ratios.join(', ')}.`,
    );
  }
  return nearest;
}

/** By block: its curve, that of the class of the first request that has it. */
export function curveOfBlocks(trace: Trace): Int32Array {
  const curves = new Int32Array(trace.tokensOfBlock.length);
  if (trace.classes.length === 0) return curves;
  curves.fill(-1);
  for (let r = 0; r < trace.requests; r++) {
    const curve = trace.classOf[r]! + 1;
    for (let k = trace.blockOffsets[r]!; k < trace.blockOffsets[r + 1]!; k++) {
      const block = trace.blocks[k]!;
      if (curves[block] === -1) curves[block] = curve;
    }
  }
  return curves;
}
