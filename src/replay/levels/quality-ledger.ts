/** Missed or spare quality is made up for over so many requests. */
const REPAY_OVER = 1000;
/** Half-life, in requests, of what the history has missed or spared: it tells how far off the choice is, no more. */
const HISTORY_HALF_LIFE = 1000;
/** Half-life, in requests, of what they have lost of late. */
const LATE_HALF_LIFE = 300;
/** What a request may lose stays within these multiples of what is asked for, however much is owed or to spare. */
const LEAST_LOSS = 0.25;
const MOST_LOSS = 2;

/** Keeps the account of a mean quality that was asked for: of the scored requests in full, of the history what fades. */
export class QualityLedger {
  /** Units of quality lost beyond what was allowed; negative: to spare. */
  private overdrawn = 0;
  private inHistory = 0;
  /** What requests have lost of late, and their number, both decayed. */
  private lostOfLate = 0;
  private requestsOfLate = 0;
  /** Whether requests are scored by now. */
  scoring = false;

  /** @param history requests at the start of the log that are not scored. */
  constructor(
    private readonly meanQuality: number,
    private readonly history: number,
  ) {}

  note(request: number, quality: number): void {
    const lost = this.meanQuality - quality;
    this.inHistory *= 2 ** (-1 / HISTORY_HALF_LIFE);
    this.scoring = request >= this.history;
    if (request < this.history) this.inHistory += lost;
    else this.overdrawn += lost;
    const keep = 2 ** (-1 / LATE_HALF_LIFE);
    this.lostOfLate = keep * this.lostOfLate + 1 - quality;
    this.requestsOfLate = keep * this.requestsOfLate + 1;
  }

  /** Whether requests have lost less of late than they may. @param aim which share of the loss asked for. */
  hasRoom(aim = 1): boolean {
    return this.lostOfLate < this.lossAllowed(aim) * this.requestsOfLate;
  }

  /** Units of quality that a request may lose in the mean from now on. @param aim which share of the loss asked for. */
  lossAllowed(aim = 1): number {
    const asked = aim * (1 - this.meanQuality);
    return Math.max(
      LEAST_LOSS * asked,
      Math.min(MOST_LOSS * asked, asked - (this.overdrawn + this.inHistory) / REPAY_OVER),
    );
  }
}
