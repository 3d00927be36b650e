import type { StoredRuns } from './stored-runs.js';

/** At which level every run is stored, by one way to choose it. */
export interface RunLevels {
  readonly stored: StoredRuns;
  /** Seconds that a unit of quality is worth to the choice; 0 where it is not chosen by that. */
  readonly alpha: number;
  /** Notes what the walked path found in the caches. */
  observe(request: number): void;
  /** Chooses the levels of what the walked path has to store. */
  choose(request: number): void;
  /** Chooses anew what comes. @param roomSeconds what one e-fold less of all contexts' room would save a request. */
  replan(roomSeconds: number): void;
}
