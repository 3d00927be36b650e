import { EvicpressError, errors, printable } from '../../errors.js';
import type { Compression } from './cache.js';
import { combination } from './combination.js';
import { fp8 } from './fp8.js';
import { int2 } from './int2.js';
import { int3 } from './int3.js';
import { int4 } from './int4.js';
import { int8 } from './int8.js';
import { keydiff } from './keydiff.js';
import { knorm } from './knorm.js';
import { snapkv } from './snapkv.js';
import { streamingLlm } from './streaming-llm.js';

/** Every compression of the embedded runner; two of them join as `dropper+quantizer`. */
export const compressions: readonly Compression[] = [
  keydiff,
  knorm,
  snapkv,
  streamingLlm,
  int8,
  int4,
  int3,
  int2,
  fp8,
];

/**
 * The compression of this name, `keydiff` or `keydiff+int4`.
 * @throws EvicpressError naming the nearest one.
 */
export function findCompression(name: string): Compression {
  const parts = name.split('+').map((part) => {
    const found = compressions.find((compression) => compression.name === part);
    if (found === undefined)
      throw errors.unknownName(
        'method',
        name,
        compressions.map((each) => each.name),
      );
    return found;
  });
  const [first, second] = parts;
  if (parts.length === 1) return first!;
  if (parts.length === 2 && first!.fixedRatio === undefined && second!.fixedRatio !== undefined) {
    return combination(first!, second!);
  }
  throw new EvicpressError(
    `Method "${printable(name)}": a combination is a token dropper, a plus and a quantizer, e.g. keydiff+int4.`,
  );
}
