import { EvicpressError } from '../../errors.js';
import type { Compression } from './cache.js';

/**
 * Drop tokens, then quantize what is left: `keydiff+int4`. The combination's ratio r is that of the whole:
 * 1 − r = (1 − dropped) · (1 − quantizer's ratio).
 */
export function combination(dropper: Compression, quantizer: Compression): Compression {
  const name = `${dropper.name}+${quantizer.name}`;
  return {
    name,
    smallestRatio: quantizer.fixedRatio!,
    compress(cache, compressionRatio) {
      const dropped = droppedShare(name, compressionRatio, quantizer.fixedRatio!);
      const kept = dropper.compress(cache, dropped);
      const quantized = quantizer.compress(
        { ...kept.decompress(), queries: cache.queries },
        quantizer.fixedRatio!,
      );
      return { ...quantized, reusedSeconds: kept.reusedSeconds ?? 0 };
    },
  };
}

/**
 * The share of tokens to drop so that, after quantizing, `compressionRatio` of the bytes are gone.
 * @throws EvicpressError when quantizing alone removes more than that.
 */
export function droppedShare(name: string, compressionRatio: number, quantizerRatio: number): number {
  const dropped = 1 - (1 - compressionRatio) / (1 - quantizerRatio);
  if (dropped < -1e-9) {
    throw new EvicpressError(
      `${name} at ratio ${compressionRatio}: quantizing alone removes ${quantizerRatio}. Choose a ratio above that.`,
    );
  }
  return Math.max(0, dropped);
}
