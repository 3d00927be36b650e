import type { RunTable } from '../experts/run-table.js';
import { plannedLevels, UNPLANNED } from '../plan-levels.js';
import type { PolicySetting } from '../policy.js';
import { CalibratedClassRule } from './calibrated-class-rule.js';
import { FoundReader } from './found.js';
import type { RunLevels } from './run-levels.js';
import { StoredRuns } from './stored-runs.js';

/** Every run at the level of its first request's class, as the class rule for the quality that is asked for has it. */
export class ClassRuleLevels implements RunLevels {
  readonly stored: StoredRuns;
  readonly alpha = 0;
  private readonly rule: CalibratedClassRule;
  private readonly found: FoundReader;
  private readonly planned: Int32Array | undefined;

  constructor(
    private readonly setting: PolicySetting,
    private readonly runs: RunTable,
    meanQuality: number,
  ) {
    const { store, objective, history } = setting;
    this.stored = new StoredRuns(runs, store);
    this.found = new FoundReader(setting, runs, this.stored);
    this.planned = plannedLevels(setting);
    this.rule = new CalibratedClassRule(store.compression, meanQuality, objective.minQuality, history);
  }

  observe(request: number): void {
    const { bytes, quality } = this.found.find(request);
    this.rule.observe(request, this.curveOf(request), bytes > 0, quality, true);
  }

  replan(): void {
    this.rule.choose();
  }

  /** What has to be stored gets its class's level, unless the plan names it; what is kept stays as it is. */
  choose(request: number): void {
    const { runs, stored } = this;
    const level = this.rule.levelFor(this.curveOf(request));
    for (let i = 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const known = i < runs.knownLength;
      if (known && stored.tierOf(run) !== -1) continue;
      const planned = this.planned?.[runs.first[run]!] ?? UNPLANNED;
      stored.setLevel(run, known, planned !== UNPLANNED ? planned : level);
    }
  }

  private curveOf(request: number): number {
    return this.setting.trace.classOf[request]! + 1;
  }
}
