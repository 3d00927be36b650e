import { EvicpressError, printable } from '../errors.js';
import type { Trace } from '../traces/trace.js';
import { parseCount, parseSeconds } from '../units.js';

/** How often policies that plan do so anew: after so many requests, or so many seconds of arrivals. */
export type ReplanEvery = { readonly requests: number } | { readonly seconds: number };

/** Where nobody says it. */
export const DEFAULT_REPLAN: ReplanEvery = { requests: 250 };

/** Reads `50r` (requests) or `300s`, `5m` (time). @throws EvicpressError */
export function parseReplan(text: string): ReplanEvery {
  const count = /^(.*)r$/.exec(text.trim())?.[1];
  if (count !== undefined) return { requests: parseCount(count, '--replan') };
  const seconds = /^\d.*[a-z]$/.test(text.trim()) ? parseSeconds(text) : Number.NaN;
  if (!(seconds > 0))
    throw new EvicpressError(
      `--replan: "${printable(text)}" is no interval. Give requests or time, e.g. 50r or 300s.`,
    );
  return { seconds };
}

/** Tells when a re-planning is due. */
export class ReplanClock {
  /** Whether one has been due yet. */
  started = false;
  private since: number;

  /** @param load arrivals come this many times as fast as in the log. */
  constructor(
    private readonly trace: Trace,
    private readonly every: ReplanEvery,
    private readonly load: number,
  ) {
    this.since = trace.timestampSeconds[0] ?? 0;
  }

  /** A clock like this one that has not begun. */
  anew(): ReplanClock {
    return new ReplanClock(this.trace, this.every, this.load);
  }

  /** Whether one is due after a request; asked after every one, in turn. */
  isDueAfter(request: number): boolean {
    const due = this.isOver(request);
    this.started ||= due;
    return due;
  }

  private isOver(request: number): boolean {
    const { every } = this;
    if ('requests' in every) return (request + 1) % every.requests === 0;
    const now = this.trace.timestampSeconds[request]!;
    if (now - this.since < every.seconds * this.load) return false;
    this.since = now;
    return true;
  }
}
