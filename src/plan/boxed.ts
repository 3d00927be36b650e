import { IndependentLagrangian } from './independent.js';
import type { Lagrangian } from './lagrangian.js';
import { type Box, nestedCores } from './nested-cores.js';
import type { Problem } from './problem.js';
import type { Row } from './rows.js';
import type { Split } from './scan.js';
import { TreeLagrangian } from './tree.js';
import { PlainTree } from './tree-plain.js';

/** The Lagrangian of all contexts, at any prices. */
export function wholeLagrangian(problem: Problem, rows: readonly Row[]): Lagrangian {
  return problem.hasParents ? new TreeLagrangian(problem, rows) : new IndependentLagrangian(problem, rows);
}

/** Whether boxes of prices settle contexts of a problem. */
export function splitsInBoxes(problem: Problem): boolean {
  return !problem.hasParents || PlainTree.suits(problem);
}

/** A Lagrangian at the prices of a box, and what the box settles. */
export interface BoxedLagrangian {
  readonly lagrangian: Lagrangian;
  readonly split: Split;
}

/** Makes the Lagrangian in a box. @param rows the limits. */
export type SolverIn = (box: Box, rows: readonly Row[]) => BoxedLagrangian;

/** Calls back with some boxes one after the other, each with a way to get the Lagrangian in it or in one inside it. */
export type InBoxes = (boxes: readonly Box[], visit: (k: number, solverIn: SolverIn) => void) => void;

/** The way to solve a problem in boxes, where those settle contexts. */
export function boxedLagrangians(problem: Problem, rows: readonly Row[]): InBoxes {
  if (!problem.hasParents)
    return (boxes, visit) =>
      nestedCores(problem, rows, boxes, (k, coreIn) =>
        visit(k, (box, limits) => {
          const { problem: about, split } = coreIn(box);
          return { lagrangian: new IndependentLagrangian(about, limits, split), split };
        }),
      );
  const tree = new TreeLagrangian(problem, rows);
  return (boxes, visit) =>
    boxes.forEach((_, k) => {
      visit(k, (box, limits) => {
        const lagrangian = tree.coreIn(box, limits);
        return { lagrangian, split: lagrangian.split };
      });
    });
}
