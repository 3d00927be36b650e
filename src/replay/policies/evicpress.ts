import { UNCOMPRESSED } from '../../formats/plan.js';
import type { LevelRule } from '../level-rule.js';
import { levelsOfRows, planRowOfBlocks, UNPLANNED } from '../plan-levels.js';
import type { PolicyKind, PolicySetting } from '../policy.js';
import { lru } from './lru.js';

/**
 * The plan's own policy: what the plan knows is stored as the plan says, what it does not know by the rule of
 * its class; room is made by recency.
 */
export const evicpress: PolicyKind = {
  name: 'evicpress',
  create(setting) {
    return lru.create({ ...setting, levelRule: planRule(setting) });
  },
};

function planRule({ trace, store, plan, levelRule }: PolicySetting): LevelRule {
  if (plan === undefined) return levelRule;
  const { levels } = store.compression;
  const rowOf = planRowOfBlocks(trace, plan.rows);
  const levelOfRow = levelsOfRows(store.compression, plan.rows);
  const levelOfClass = new Int32Array(trace.classes.length + 1);
  for (const rule of plan.header.rules.classes ?? []) {
    const curve = rule.class === undefined ? 0 : trace.classes.indexOf(rule.class) + 1;
    const level = levels.findIndex(
      (entry) =>
        entry.method === rule.method &&
        (rule.method === UNCOMPRESSED || Math.abs(entry.compressionRatio - rule.compressionRatio) < 1e-9),
    );
    if (curve > 0 || rule.class === undefined) levelOfClass[curve] = Math.max(0, level);
  }
  return {
    levelFor(request, block) {
      const row = rowOf[block]!;
      return row === UNPLANNED ? levelOfClass[trace.classOf[request]! + 1]! : levelOfRow[row]!;
    },
  };
}
