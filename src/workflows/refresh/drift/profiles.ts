import type { DriftCheck, DriftFinding } from './check.js';

/** Profiles that were measured anew, or swapped, since the plan in force was made. */
export const profiles: DriftCheck = {
  name: 'profiles',
  async check({ plan, files }) {
    if (plan === undefined) return [];
    const planned = new Map(plan.header.inputs.map((input) => [input.path, input.sha256]));
    return files.map(({ path, sha256 }): DriftFinding => {
      const before = planned.get(path);
      const drifted = before !== sha256;
      return {
        check: 'profiles',
        subject: path,
        drifted,
        value: drifted ? 1 : 0,
        threshold: 1,
        evidence:
          before === undefined
            ? `${path} was not used for the plan in force`
            : drifted
              ? `${path} is another file than the plan in force was made from`
              : `${path} is the file that the plan in force was made from`,
      };
    });
  },
};
