import type { DriftCheck, DriftFinding } from './check.js';

/** Another model or engine than the plan was made for: its bytes and options are of no use any more. */
export const identity: DriftCheck = {
  name: 'identity',
  async check({ plan, model, engine }) {
    if (plan === undefined) return [];
    const planned = (plan.header as { engine?: unknown }).engine;
    const findings: DriftFinding[] = [
      changed('model', plan.header.model ?? 'unnamed', model.name, plan.header.model !== null),
    ];
    if (engine !== undefined && typeof planned === 'string')
      findings.push(changed('engine', planned, engine, true));
    return findings;
  },
};

function changed(subject: string, planned: string, served: string, known: boolean): DriftFinding {
  const drifted = known && planned !== served;
  return {
    check: 'identity',
    subject,
    drifted,
    value: drifted ? 1 : 0,
    threshold: 1,
    evidence: drifted
      ? `the plan in force is for ${subject} ${planned}, ${served} is served: the plan is invalid`
      : `the plan in force is for ${subject} ${planned}`,
  };
}
