/** Reuses to have seen before anything is concluded from their share. */
const ENOUGH_REUSES = 20;

/**
 * Which share of requests will reuse something. Caches begin empty: what is stored early is used when more requests
 * find something than do now, and too much loss for each of those cannot be undone.
 */
export class ReuseTrend {
  /** By request: how many before it have reused something. */
  private readonly before: number[] = [0];

  note(reused: boolean): void {
    this.before.push(this.before.at(-1)! + (reused ? 1 : 0));
  }

  /** The share to come: that of late, and as much more as it has risen while the log has doubled; 1 while little is known. */
  shareToCome(late: number): number {
    return this.before.at(-1)! < ENOUGH_REUSES ? 1 : Math.min(1, late + this.rise());
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
