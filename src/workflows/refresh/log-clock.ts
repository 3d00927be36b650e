/** A step longer than this counts as this much: a clock that was set, or a night without requests. */
const LONGEST_STEP_SECONDS = 3600;
/** Requests written up to this much out of order are of one time; further back, the clock was set back. */
const OUT_OF_ORDER_SECONDS = 60;

/** Where a log's clock stands. */
export interface ClockState {
  /** The latest time a request carried, as the log writes it; null before the first. */
  readonly logSeconds: number | null;
  /** Time counted since the first request. */
  readonly countedSeconds: number;
}

/**
 * Time as a log passes it: never backwards, never more than an hour in one step. Rates decay by this time, so that
 * neither the host's clock nor a jump of the log's own can erase what was learned (note 301).
 */
export class LogClock {
  private logSeconds: number | null;
  private counted: number;

  constructor(state: ClockState = { logSeconds: null, countedSeconds: 0 }) {
    this.logSeconds = state.logSeconds;
    this.counted = state.countedSeconds;
  }

  get state(): ClockState {
    return { logSeconds: this.logSeconds, countedSeconds: this.counted };
  }

  /** Takes note of a request's time. @returns the time counted. */
  tick(seconds: number): number {
    const step = this.logSeconds === null ? 0 : seconds - this.logSeconds;
    if (step > 0) this.counted += Math.min(step, LONGEST_STEP_SECONDS);
    if (step > 0 || this.logSeconds === null || step < -OUT_OF_ORDER_SECONDS) this.logSeconds = seconds;
    return this.counted;
  }
}
