import { EvicpressError, printable } from '../errors.js';
import { pick } from '../registry.js';
import type { Trace } from '../traces/trace.js';
import { type Compression, levelNamed } from './compression.js';
import { classRule, fixedLevel, type LevelRule } from './level-rule.js';
import { policies } from './policies/index.js';
import type { PolicyKind } from './policy.js';

const CLASS_RULE = 'class-rule';

/** A policy as the user writes it, ready to run. */
export interface PolicyRun {
  readonly name: string;
  readonly kind: PolicyKind;
  /** How it compresses what it stores; undefined where the name does not say. */
  readonly levelRule?: LevelRule;
}

/**
 * Reads a policy's name: `name`, `name+method`, `name+method@ratio` or `name+class-rule@quality`; it splits at
 * the first `+`.
 * @throws EvicpressError on an unknown policy or method, or a ratio that was not profiled.
 */
export function policyRun(name: string, trace: Trace, compression: Compression): PolicyRun {
  const plus = name.indexOf('+');
  const kind = pick('policy', policies, plus === -1 ? name : name.slice(0, plus));
  if (plus === -1) return { name, kind };
  const how = name.slice(plus + 1);
  const isClassRule = how === CLASS_RULE || how.startsWith(`${CLASS_RULE}@`);
  const levelRule = isClassRule
    ? classRule(trace, compression, classRuleQuality(name, how))
    : fixedLevel(levelNamed(compression, how));
  return { name, kind, levelRule };
}

function classRuleQuality(name: string, how: string): number {
  const text = how.slice(CLASS_RULE.length + 1);
  const quality = text === '' ? Number.NaN : Number(text);
  if (!(quality >= 0 && quality <= 1)) {
    throw new EvicpressError(
      `Policy "${printable(name)}": the class rule needs the quality to keep, from 0 to 1. Write it like lru+class-rule@0.97.`,
    );
  }
  return quality;
}
