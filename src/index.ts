/**
 * The library: the stages of the command line as functions over plain data.
 *
 *     import { fitCurves, loadModel, planContexts, readTiers } from 'evicpress';
 *
 * Errors that the caller can fix are `EvicpressError`s with one clear message, as on the command line.
 */
export { EvicpressError } from './errors.js';
export { bundledModels, bundledNames, loadModel, profilePath } from './formats/bundled.js';
export { type ContextRow, type ContextsFile, type ContextsHeader, readContexts } from './formats/contexts.js';
export type { Demand } from './formats/demand.js';
export {
  type MethodProfile,
  type MethodRow,
  type MethodsHeader,
  readMethods,
} from './formats/methods.js';
export { checkModel, type Model } from './formats/model.js';
export {
  type Placement,
  type Plan,
  type PlanHeader,
  type Rules,
  readPlan,
  scanPlan,
  writePlan,
} from './formats/plan.js';
export type { PolicyResult, ReplayResult } from './formats/replay.js';
export { checkTiers, readTiers, type Tier, type TierProfile, type Transfer } from './formats/tiers.js';
export { fitCurves } from './plan/curves.js';
export { demandOfContexts } from './plan/demand-of-contexts.js';
export { type PlannedContexts, type PlanRequest, planContexts } from './plan/plan-contexts.js';
export { solvers } from './plan/solvers/index.js';
export type { Solution, SolveOptions, Solver } from './plan/solvers/solver.js';
export type { OnProgress, ProgressEvent } from './progress.js';
export { policyRun } from './replay/runs.js';
export { type ReplayOutcome, type ReplaySetting, replay } from './replay/simulator.js';
export { loadTrace } from './traces/load.js';
export { segmentsOf } from './traces/segments.js';
export type { Trace } from './traces/trace.js';
export {
  formatBytes,
  formatBytesPerSecond,
  formatSeconds,
  parseBytes,
  parseBytesPerSecond,
  parseSeconds,
} from './units.js';
