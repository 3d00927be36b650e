import { pick } from '../registry.js';
import { type Compression, levelNamed } from './compression.js';
import { fixedLevel, type LevelRule } from './level-rule.js';
import { policies } from './policies/index.js';
import type { PolicyKind } from './policy.js';

/** A policy as the user writes it, `name` or `name+method@ratio`, ready to run. */
export interface PolicyRun {
  readonly name: string;
  readonly kind: PolicyKind;
  readonly levelRule: LevelRule;
}

/**
 * Reads a policy's name; it splits at the first `+`.
 * @throws EvicpressError on an unknown policy or method, or a ratio that was not profiled.
 */
export function policyRun(name: string, compression: Compression): PolicyRun {
  const plus = name.indexOf('+');
  const kind = pick('policy', policies, plus === -1 ? name : name.slice(0, plus));
  const level = plus === -1 ? 0 : levelNamed(compression, name.slice(plus + 1));
  return { name, kind, levelRule: fixedLevel(level) };
}
