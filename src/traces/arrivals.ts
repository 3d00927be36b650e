import { EvicpressError } from '../errors.js';
import type { Trace } from './trace.js';

/**
 * One log's content at another log's times: request r of the content arrives when request r of the arrivals
 * did. Where the arrivals end sooner, they begin again after their last one.
 * @throws EvicpressError where the arrivals span no time at all.
 */
export function withArrivals(content: Trace, arrivals: Trace): Trace {
  const count = arrivals.requests;
  const span = arrivals.timestampSeconds[count - 1]!;
  if (!(span > 0))
    throw new EvicpressError('The log of arrivals spans no time: all its requests have one time stamp.');
  const period = span * (1 + 1 / Math.max(1, count - 1));
  return {
    ...content,
    blockIds: content.blockIds,
    timestampSeconds: Float64Array.from(
      { length: content.requests },
      (_, r) => arrivals.timestampSeconds[r % count]! + Math.floor(r / count) * period,
    ),
    warnings: [...content.warnings, 'Arrival times are those of another log.'],
  };
}
