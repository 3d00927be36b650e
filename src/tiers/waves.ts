import type { Wave } from './kind.js';

/**
 * Repeats a wave for about as long as it asks: at least once, and not again where the next one would end late by
 * more than half of itself.
 * @param move moves one wave's objects. @returns the seconds of each wave.
 */
export async function repeatWaves(
  { seconds }: Wave,
  signal: AbortSignal,
  move: () => Promise<unknown>,
): Promise<number[]> {
  const waves: number[] = [];
  const startedAt = performance.now();
  const spent = () => (performance.now() - startedAt) / 1e3;
  do {
    const before = spent();
    await move();
    waves.push(spent() - before);
  } while (spent() + waves.at(-1)! / 2 < seconds && !signal.aborted);
  return waves;
}
