/** What published logs use: Mooncake 512, others a power of two from 16 up. */
const CANDIDATES = [512, 16, 32, 64, 128, 256, 1024, 2048, 4096];
const ENOUGH_REQUESTS = 10_000;
const ENOUGH_TO_DOUBT = 20;

/**
 * Finds the block size of a log that does not name it: the one for which the number of ids is the input's
 * length in blocks, rounded up or down, on most requests; 512, Mooncake's own, where several do equally well.
 */
export class BlockSizeGuess {
  private readonly votes = new Float64Array(CANDIDATES.length);
  private seen = 0;

  /** @param given the block size, where the user says it. */
  constructor(private readonly given?: number) {}

  see(inputTokens: number, blocks: number): void {
    if (this.seen >= ENOUGH_REQUESTS || blocks === 0) return;
    this.seen++;
    for (let i = 0; i < CANDIDATES.length; i++) {
      const exact = inputTokens / CANDIDATES[i]!;
      if (blocks === Math.ceil(exact) || blocks === Math.floor(exact)) this.votes[i]!++;
    }
  }

  /**
   * Another block size than `expected`, where nearly all requests seen have as many ids as that size gives and most
   * of them not as many as `expected` does; undefined where nothing speaks against it.
   */
  otherThan(expected: number): number | undefined {
    const share = (i: number) => (i < 0 ? 0 : this.votes[i]! / this.seen);
    if (this.seen < ENOUGH_TO_DOUBT || share(CANDIDATES.indexOf(expected)) >= 0.5) return undefined;
    return CANDIDATES.find((size, i) => size !== expected && share(i) >= 0.9);
  }

  /** Tokens of a full block; says so where no size fits most requests. */
  blockTokens(warnings: string[]): number {
    if (this.given !== undefined) return this.given;
    let best = 0;
    for (let i = 1; i < CANDIDATES.length; i++) if (this.votes[i]! > this.votes[best]!) best = i;
    if (this.seen > 0 && this.votes[best]! < this.seen / 2) {
      warnings.push(
        `No block size explains how many ids the requests have; ${CANDIDATES[best]!} tokens assumed. Say it with --block-tokens.`,
      );
    } else if (best > 0) {
      warnings.push(`Blocks of ${CANDIDATES[best]!} tokens, by the number of ids per request.`);
    }
    return CANDIDATES[best]!;
  }
}
