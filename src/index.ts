/**
 * The library: the stages of the command line as functions over plain data (docs/library.md).
 *
 *     import { loadModel, plan, readTiers, replay } from 'evicpress';
 *
 * Errors that the caller can fix are `EvicpressError`s with one clear message, as on the command line.
 */
export { carriedOut } from './engines/carried-out.js';
export type { EngineTarget, ExportFile, ExportSetting } from './engines/engine.js';
export { engines } from './engines/index.js';
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
export { buildProfile } from './methods/profile.js';
export { type ProfileRun, runProfile } from './methods/profile-run.js';
export type { Runner } from './methods/runner.js';
export { fitCurves } from './plan/curves.js';
export { demandOfContexts } from './plan/demand-of-contexts.js';
export { type Explanation, explainChoice } from './plan/explanation.js';
export {
  choicesInForce,
  type PlannedContexts,
  type PlanRequest,
  planContexts,
  planContexts as plan,
  pricesOf,
} from './plan/plan-contexts.js';
export { kneeOf, leastSize, Sweep } from './plan/sizing.js';
export { solvers } from './plan/solvers/index.js';
export type { Solution, SolveOptions, Solver } from './plan/solvers/solver.js';
export type { OnProgress, ProgressEvent } from './progress.js';
export { compressionOf } from './replay/compression.js';
export { LogFacts } from './replay/log-facts.js';
export { policies } from './replay/policies/index.js';
export { type PolicyRun, policyRun } from './replay/runs.js';
export { type ReplayOutcome, type ReplaySetting, replay } from './replay/simulator.js';
export { type Evidence, gatherEvidence } from './report/evidence.js';
export { htmlPage } from './report/html-page.js';
export { tierKinds } from './tiers/index.js';
export { parseTargets } from './tiers/targets.js';
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
export { type CheckedFile, checkFile } from './workflows/check-file.js';
export { type Change, reviewApply, reviewRollback } from './workflows/generations.js';
export { type PlanDifference, planDifference } from './workflows/plan-difference.js';
export type { TurnOptions, TurnTools } from './workflows/refresh/options.js';
export type { TurnResult } from './workflows/refresh/outcome.js';
export { refreshTurn } from './workflows/refresh/turn.js';
