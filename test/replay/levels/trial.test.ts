import { describe, expect, it } from 'vitest';
import { type Candidate, classRuleIsAhead } from '../../../src/replay/levels/trial.js';
import type { PolicySetting } from '../../../src/replay/policy.js';

/** What a way to choose levels does to a request: seconds of TTFT, and its quality. */
type Outcome = (request: number) => readonly [seconds: number, quality: number];

/** Both ways' outcomes on a history, and which requests each way has played. */
function trial(history: number, bySize: Outcome, byClass: Outcome, alpha = 1) {
  const played: number[][] = [[], []];
  const setting = {
    history,
    store: { emptyCopy: () => ({}) },
    scorekeeperOf: () => ({
      scores: { ttftSeconds: new Float64Array(history), quality: new Float64Array(history) },
      serve: () => {},
    }),
    replanning: { anew: () => ({}) },
  } as unknown as PolicySetting;
  const isAhead = classRuleIsAhead(setting, ({ scorekeeper }, byClassRule): Candidate => {
    const outcome = byClassRule ? byClass : bySize;
    return {
      alpha,
      serve: (request) => {
        played[byClassRule ? 1 : 0]!.push(request);
        const [seconds, quality] = outcome(request);
        scorekeeper.scores.ttftSeconds[request] = seconds;
        scorekeeper.scores.quality[request] = quality;
      },
    };
  });
  return { isAhead, played };
}

const always =
  (seconds: number, quality = 1): Outcome =>
  () => [seconds, quality];

describe('the trial of the class rule', () => {
  it('is won by what is clearly quicker, and else not', () => {
    expect(trial(1000, always(1), always(0.99)).isAhead).toBe(true);
    expect(trial(1000, always(1), always(0.997)).isAhead).toBe(false);
    expect(trial(1000, always(1), always(1)).isAhead).toBe(false);
  });

  it('counts the later half', () => {
    const late = (request: number) => request >= 500;
    expect(trial(1000, always(1), (r) => [late(r) ? 0.9 : 5, 1]).isAhead).toBe(true);
    expect(trial(1000, always(1), (r) => [late(r) ? 1.1 : 0, 1]).isAhead).toBe(false);
  });

  it('counts half of what quality is worth to the levels by size', () => {
    expect(trial(1000, always(1, 0.97), always(1.009, 0.99), 1).isAhead).toBe(false);
    expect(trial(1000, always(1, 0.97), always(1.009, 0.99), 2).isAhead).toBe(true);
    expect(trial(1000, always(1, 0.97), always(1, 0.97), Number.POSITIVE_INFINITY).isAhead).toBe(false);
  });

  it('is not held on a short history, which is left to the class rule, and on the beginning of a long one', () => {
    expect(trial(199, always(1), always(2))).toEqual({ isAhead: true, played: [[], []] });
    expect(trial(0, always(1), always(2))).toEqual({ isAhead: false, played: [[], []] });
    const { isAhead, played } = trial(30_000, always(2), always(1));
    expect(isAhead).toBe(true);
    for (const requests of played) expect([requests.length, requests.at(-1)]).toEqual([20_000, 19_999]);
  });
});
