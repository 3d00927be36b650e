import type { DriftCheck, DriftFinding, DriftSetting } from './check.js';
import { hitShare } from './hit-share.js';
import { identity } from './identity.js';
import { profiles } from './profiles.js';
import { quality } from './quality.js';
import { tierSpeed } from './tier-speed.js';
import { unseen } from './unseen.js';

/** Every kind of drift that a turn looks for. */
export const driftChecks: readonly DriftCheck[] = [identity, profiles, tierSpeed, quality, hitShare, unseen];

/** All findings of all checks. */
export async function lookForDrift(setting: DriftSetting): Promise<DriftFinding[]> {
  const findings: DriftFinding[] = [];
  for (const check of driftChecks) findings.push(...(await check.check(setting)));
  return findings;
}
