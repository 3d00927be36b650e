import type { MeasureSettings } from '../../src/tiers/kind.js';

/** Of a short measurement with one stream. */
export const shortSettings: MeasureSettings = {
  seconds: 2,
  streams: [1],
  seed: 1,
  signal: new AbortController().signal,
  onProgress: () => undefined,
};
