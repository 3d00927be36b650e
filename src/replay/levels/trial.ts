import type { Policy, PolicySetting } from '../policy.js';

/** Requests that a history needs to have for a trial, and those of a longer one that the trial is held on. */
const FEWEST = 200;
const MOST = 20_000;
/** How far ahead the class rule has to be, as a share of its own TTFT. */
const LEAD = 0.005;
/**
 * What a unit of quality counts in the trial, of what it is worth to the levels by size: they take longer than the
 * trial to end at the quality that is asked for.
 */
const WEIGHT_OF_QUALITY = 0.5;
/** A unit of quality is worth no more seconds than this, however little of it may be lost. */
const LARGEST_ALPHA = 100;

/** A policy that is on trial. */
export interface Candidate extends Policy {
  /** Seconds that a unit of quality is worth to it. */
  readonly alpha: number;
}

/**
 * Whether the class rule does better on the history than levels by class and size, both for the mean quality that is
 * asked for: each plays the history in caches of its own, and the later half counts. A short history goes with a short
 * log, which is at its end before the sizes of contexts are known: it is left to the class rule. Without any history
 * nothing is known of the log's length.
 * @param play makes the policy for a trial.
 */
export function classRuleIsAhead(
  setting: PolicySetting,
  play: (trial: PolicySetting, byClassRule: boolean) => Candidate,
): boolean {
  if (setting.history < FEWEST) return setting.history > 0;
  const requests = Math.min(MOST, setting.history);
  const bySize = playHistory(setting, requests, (trial) => play(trial, false));
  const byClass = playHistory(setting, requests, (trial) => play(trial, true));
  const worth = WEIGHT_OF_QUALITY * Math.min(LARGEST_ALPHA, bySize.alpha);
  const ahead = bySize.seconds - byClass.seconds + worth * (bySize.lost - byClass.lost);
  return ahead > LEAD * byClass.seconds;
}

/** Seconds of TTFT and units of quality lost in the later half of a history of so many requests. */
function playHistory(setting: PolicySetting, requests: number, play: (trial: PolicySetting) => Candidate) {
  const store = setting.store.emptyCopy();
  const scorekeeper = setting.scorekeeperOf(store);
  const half = Math.floor(requests / 2);
  const candidate = play({
    ...setting,
    store,
    scorekeeper,
    charge: (request, seconds) => scorekeeper.charge(request, seconds),
    history: half,
    replanning: setting.replanning.anew(),
  });
  for (let request = 0; request < requests; request++) {
    scorekeeper.serve(request);
    candidate.serve(request);
  }
  const { ttftSeconds, quality } = scorekeeper.scores;
  let seconds = 0;
  let lost = 0;
  for (let request = half; request < requests; request++) {
    seconds += ttftSeconds[request]!;
    lost += 1 - quality[request]!;
  }
  return { seconds, lost, alpha: candidate.alpha };
}
