import type { RunTable } from '../experts/run-table.js';
import type { LevelRule } from '../level-rule.js';
import type { TieredStore } from '../store.js';
import type { RunLevels } from './run-levels.js';
import { StoredRuns } from './stored-runs.js';

/** Levels as the policy's name says; all runs whole where it says nothing. */
export class GivenLevels implements RunLevels {
  readonly stored: StoredRuns;
  readonly alpha = 0;

  constructor(
    private readonly runs: RunTable,
    store: TieredStore,
    private readonly rule: LevelRule | undefined,
  ) {
    this.stored = new StoredRuns(runs, store);
  }

  observe(): void {}

  replan(): void {}

  choose(request: number): void {
    const { runs, stored, rule } = this;
    for (let i = rule === undefined ? runs.knownLength : 0; i < runs.pathLength; i++) {
      const run = runs.path[i]!;
      const known = i < runs.knownLength;
      if (known && stored.tierOf(run) !== -1) continue;
      stored.setLevel(run, known, rule === undefined ? 0 : rule.levelFor(request, runs.first[run]!));
    }
  }
}
