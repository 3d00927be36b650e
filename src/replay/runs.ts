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
  /** The number behind the policy's own name. */
  readonly parameter?: number;
  /** How it compresses what it stores; undefined where the name does not say. */
  readonly levelRule?: LevelRule;
}

/**
 * Reads a policy's name: `name`, `name+method`, `name+method@ratio` or `name+class-rule@quality`; it splits at
 * the first `+`. Some policies take a number of their own: `lfu@500`.
 * @throws EvicpressError on an unknown policy or method, or a ratio that was not profiled.
 */
export function policyRun(name: string, trace: Pick<Trace, 'classOf'>, compression: Compression): PolicyRun {
  const plus = name.indexOf('+');
  const own = ownPart(plus === -1 ? name : name.slice(0, plus));
  if (plus === -1) return { name, ...own };
  const how = name.slice(plus + 1);
  const isClassRule = how === CLASS_RULE || how.startsWith(`${CLASS_RULE}@`);
  const levelRule = isClassRule
    ? classRule(trace, compression, classRuleQuality(name, how))
    : fixedLevel(levelNamed(compression, how));
  return { name, ...own, levelRule };
}

function ownPart(text: string): Pick<PolicyRun, 'kind' | 'parameter'> {
  const at = text.indexOf('@');
  const kind = pick('policy', policies, at === -1 ? text : text.slice(0, at));
  if (at === -1) return { kind };
  const number = text.slice(at + 1);
  const parameter = number === 'unlimited' ? Number.POSITIVE_INFINITY : Number(number);
  if (kind.parameter === undefined || !(parameter > 0)) {
    throw new EvicpressError(
      kind.parameter === undefined
        ? `Policy ${kind.name} takes no number of its own (got "${printable(text)}"). A method and its ratio come after a plus: ${kind.name}+int4.`
        : `Policy "${printable(text)}": expected a ${kind.parameter} above 0, or unlimited, like ${kind.name}@500.`,
    );
  }
  return { kind, parameter };
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
