import { describe, expect, it } from 'vitest';
import { ReuseTrend } from '../../../src/replay/levels/reuse-trend.js';

function trendOf(requests: number, reused: (request: number) => boolean, history = 0): ReuseTrend {
  const trend = new ReuseTrend(history);
  for (let request = 0; request < requests; request++) trend.note(reused(request));
  return trend;
}

describe('the share of requests that will reuse something', () => {
  it('is all of them while little is known', () => {
    expect(trendOf(0, () => true).shareToCome(0)).toBe(1);
    expect(trendOf(1000, (request) => request < 19).shareToCome(0.1)).toBe(1);
  });

  it('is that of late where it does not rise', () => {
    expect(trendOf(1024, (request) => request % 4 === 0).shareToCome(0.25)).toBeCloseTo(0.25);
    expect(trendOf(1024, (request) => request < 512).shareToCome(0.4)).toBe(0.4);
  });

  it('rises on as it has risen while the log has doubled, to all requests at most', () => {
    // One in four of the second quarter, half of the second half.
    const reused = (request: number) => request % (request < 512 ? 4 : 2) === 0;
    expect(trendOf(1024, reused).shareToCome(0.45)).toBeCloseTo(0.7);
    expect(trendOf(1024, reused).shareToCome(0.9)).toBe(1);
    expect(trendOf(1024, reused, 1024).shareToCome(0.45)).toBeCloseTo(0.7);
  });

  it('rises so for each time that the log will double till it is twice its history', () => {
    const reused = (request: number) => request % (request < 512 ? 4 : 2) === 0;
    expect(trendOf(1024, reused, 2048).shareToCome(0.3)).toBeCloseTo(0.8);
  });
});
