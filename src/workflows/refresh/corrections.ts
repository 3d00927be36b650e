import type { MethodRow } from '../../formats/methods.js';
import type { Corrected } from './decide.js';
import type { DriftFinding } from './drift/check.js';
import { sameMethod } from './drift/quality.js';
import type { TurnInputs } from './options.js';
import type { RefreshState } from './state.js';

/**
 * The measurements with what drift has taught: tiers read as fast as probes found, for as long as the profile is
 * the file that was corrected; methods whose answers are worse online than profiled count as good as they are;
 * tiers that cannot be used are named.
 */
export function correct(
  inputs: TurnInputs,
  state: RefreshState,
  findings: readonly DriftFinding[],
): Corrected {
  const profile = profileOf(inputs);
  const tiers = inputs.tiers.map((tier) => {
    const correction = state.tierCorrections[tier.name];
    return correction === undefined || correction.profile !== profile
      ? tier
      : { ...tier, read: correction.read };
  });
  const factors = findings.flatMap((finding) => finding.corrected ?? []);
  const methods = factors.length === 0 ? inputs.methods : inputs.methods.map((row) => scaled(row, factors));
  return { tiers, methods, gone: goneTiers(inputs, state, findings) };
}

/** The tier profile's own identity: a correction is of this profile and no other. */
export function profileOf({ files }: TurnInputs): string {
  return files[0]?.sha256 ?? '';
}

function scaled(
  row: MethodRow,
  factors: readonly { method: string; compressionRatio: number; factor: number }[],
): MethodRow {
  const found = factors.find((factor) => sameMethod(factor, row));
  return found === undefined ? row : { ...row, quality: row.quality * found.factor };
}

/** Tiers whose last probe that told anything found them gone. */
function goneTiers(inputs: TurnInputs, state: RefreshState, findings: readonly DriftFinding[]): string[] {
  return inputs.tiers
    .map((tier) => tier.name)
    .filter((name) => {
      const finding = findings.find(({ check, subject }) => check === 'tier-speed' && subject === name);
      if (finding?.measured !== undefined) return false;
      return finding?.gone === true || state.tierChecks[name]?.gone === true;
    });
}
