/** Reuses to have seen before anything is concluded from their share. */
const ENOUGH_REUSES = 20;

/**
 * Which share of requests will reuse something. Caches begin empty: what is stored early is used when more requests
 * find something than do now, and too much loss for each of those cannot be undone.
 */
export class ReuseTrend {
  /** By request: how many before it have reused something. */
  private readonly before: number[] = [0];

  /** @param history requests at the start of the log that are not scored: as many again are taken to follow. */
  constructor(private readonly history: number) {}

  note(reused: boolean): void {
    this.before.push(this.before.at(-1)! + (reused ? 1 : 0));
  }

  /**
   * The share to come: that of late, and as much more as it has risen while the log has doubled, for each time that
   * the log will double till it is twice the history, and once at least; 1 while little is known.
   */
  shareToCome(late: number): number {
    const { before } = this;
    if (before.at(-1)! < ENOUGH_REUSES) return 1;
    const doublings = Math.max(1, Math.log2((2 * this.history) / (before.length - 1)));
    return Math.min(1, late + doublings * this.rise());
  }

  /** The share of the log's later half less that of the quarter before it; 0 where it has not risen. */
  private rise(): number {
    const { before } = this;
    const now = before.length - 1;
    const half = now >> 1;
    const quarter = half >> 1;
    const later = (before[now]! - before[half]!) / (now - half);
    const earlier = (before[half]! - before[quarter]!) / (half - quarter);
    return Math.max(0, later - earlier);
  }
}
