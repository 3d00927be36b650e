import { pick } from '../../registry.js';
import { dual, exact } from './dual.js';
import { greedy, greedyPerByte } from './greedy.js';
import type { Solver } from './solver.js';

/** Every solver, the default first. */
export const solvers: readonly Solver[] = [dual, exact, greedy, greedyPerByte];

/** The solver of this name. @throws EvicpressError */
export function solverNamed(name: string): Solver {
  return pick('solver', solvers, name);
}
