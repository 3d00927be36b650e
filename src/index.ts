/**
 * The library: the stages of the command line as functions over plain data (docs/library.md).
 *
 *     import { loadModel, plan, readTiers, replay } from 'evicpress';
 *
 * Errors that the caller can fix are `EvicpressError`s with one clear message, as on the command line.
 */
export { prefillSeconds } from './cost/prefill.js';
export { calibrate } from './engines/calibrate.js';
export { carriedOut, coverageOf } from './engines/carried-out.js';
export { keyedIds, LMCACHE_CHUNK_TOKENS } from './engines/chunk-hashes.js';
export { engineTokenizer, keysOfContexts, keysOfSegments } from './engines/context-keys.js';
export type { EngineTarget, ExportFile, ExportSetting } from './engines/engine.js';
export { engineNamed, engines } from './engines/index.js';
export { keyedLog, keyedPlan } from './engines/keyed.js';
export { replayLive } from './engines/live.js';
export { offerOf } from './engines/offer.js';
export { placesOfGroups } from './engines/places.js';
export { askServed } from './engines/served.js';
export { carriedOutText } from './engines/words.js';
export { EvicpressError } from './errors.js';
export {
  BUNDLED_METHODS,
  bundledModels,
  bundledNames,
  isModelFile,
  loadModel,
  PROFILES_FOLDER,
  profilePath,
  RESULTS_FOLDER,
} from './formats/bundled.js';
export { cacheFolder, logCacheFolder } from './formats/cache-folder.js';
export { CONFIG_NAME, readConfig } from './formats/config.js';
export { type ContextRow, type ContextsFile, type ContextsHeader, readContexts } from './formats/contexts.js';
export type { Demand } from './formats/demand.js';
export {
  METRICS,
  type MethodProfile,
  type MethodRow,
  type MethodsHeader,
  readMethods,
  writeMethods,
} from './formats/methods.js';
export { checkModel, type Model } from './formats/model.js';
export { RECOMPUTE } from './formats/names.js';
export { PlacementGroups } from './formats/placement-groups.js';
export {
  type Placement,
  type Plan,
  type PlanHeader,
  type Rules,
  readPlan,
  scanPlan,
  writePlan,
} from './formats/plan.js';
export { inputsOfPlan } from './formats/plan-inputs.js';
export type { PolicyResult, ReplayResult } from './formats/replay.js';
export { checkTiers, readTiers, type Tier, type TierProfile, type Transfer } from './formats/tiers.js';
export { DEFAULT_METHODS, DEFAULT_RATIOS, listConfigurations } from './methods/configurations.js';
export { ensureModels } from './methods/embedded/models.js';
export { embeddedCatalog, openEmbeddedRunner, openSimilarity } from './methods/embedded/runner.js';
export { countEntries, openJournal } from './methods/journal.js';
export { openKvpressRunner } from './methods/kvpress-runner.js';
export { openOpenAiRunner } from './methods/openai-runner.js';
export { buildProfile } from './methods/profile.js';
export { type ProfileRun, runProfile } from './methods/profile-run.js';
export { installedPython, installKvpress } from './methods/python-environment.js';
export { completeQueries, shuffleQueries } from './methods/queries.js';
export { readQueryLog } from './methods/query-log.js';
export type { Runner } from './methods/runner.js';
export { type ServedModel, servedModel } from './openai-client.js';
export { learnClassRules } from './plan/class-rules.js';
export { fitCurves } from './plan/curves.js';
export { demandOfContexts } from './plan/demand-of-contexts.js';
export { constraintsOf, demandsOf } from './plan/demands.js';
export { type Explanation, explainChoice } from './plan/explanation.js';
export { choiceInForce, choicesInForce } from './plan/in-force.js';
export { planMeans } from './plan/make-plan.js';
export {
  type PlannedContexts,
  type PlanRequest,
  planContexts,
  planContexts as plan,
  pricesOf,
  problemOf,
} from './plan/plan-contexts.js';
export { fixedRule, kneeOf, leastSize, logSpaced } from './plan/sizing.js';
export { dual } from './plan/solvers/dual.js';
export { solvers } from './plan/solvers/index.js';
export type { Solution, SolveOptions, Solver } from './plan/solvers/solver.js';
export { Sweep } from './plan/sweep.js';
export { solveForTarget, type Target } from './plan/targets.js';
export type { OnProgress, ProgressEvent } from './progress.js';
export { ReplayBound } from './replay/bound.js';
export { compressionOf } from './replay/compression.js';
export { LogFacts } from './replay/log-facts.js';
export { HIT_SHARE, MEAN_QUALITY, MEAN_TTFT, withinNoise } from './replay/noise.js';
export { type PlanFit, planFit } from './replay/plan-fit.js';
export { policies } from './replay/policies/index.js';
export { parseReplan, type ReplanEvery } from './replay/replanning.js';
export { replayPolicies, type ThreadOptions } from './replay/run-policies.js';
export { type PolicyRun, policyRun } from './replay/runs.js';
export { type ReplayOutcome, type ReplaySetting, replay } from './replay/simulator.js';
export { lruCurve, lruHitRate } from './replay/stack-distance.js';
export { type Evidence, gatherEvidence } from './report/evidence.js';
export { htmlPage } from './report/html-page.js';
export { describeHost } from './tiers/host.js';
export { besideKinds, tierKinds } from './tiers/index.js';
export { parseTargets } from './tiers/targets.js';
export { withArrivals } from './traces/arrivals.js';
export { assignClasses } from './traces/assign-classes.js';
export { readConversations } from './traces/chat-prompts.js';
export { formats as logFormats } from './traces/index.js';
export { firstLineOf } from './traces/lines.js';
export { expectFormat, expectLog, loadTrace } from './traces/load.js';
export { segmentsOf } from './traces/segments.js';
export type { Trace } from './traces/trace.js';
export {
  formatBytes,
  formatBytesPerSecond,
  formatCount,
  formatSeconds,
  formatShare,
  parseBytes,
  parseBytesPerSecond,
  parseNumber,
  parseSeconds,
} from './units.js';
export { type Surroundings, surroundingsOf } from './workflows/check/surroundings.js';
export { type CheckedFile, checkFile } from './workflows/check-file.js';
export {
  type Change,
  PUBLISH_FOLDER,
  planInForce,
  reviewApply,
  reviewRollback,
} from './workflows/generations.js';
export {
  ChangeTally,
  type PlanDifference,
  placeOf,
  planDifference,
  rowDifference,
} from './workflows/plan-difference.js';
export { alertRules } from './workflows/refresh/alerts.js';
export { dashboard } from './workflows/refresh/dashboard.js';
export { DEFAULT_THRESHOLDS } from './workflows/refresh/drift/check.js';
export { pastGenerations } from './workflows/refresh/history.js';
export { takeLock } from './workflows/refresh/lock.js';
export type { TurnOptions, TurnTools } from './workflows/refresh/options.js';
export { type TurnResult, withoutTier } from './workflows/refresh/outcome.js';
export { IN_FORCE } from './workflows/refresh/plan-store.js';
export { schedules } from './workflows/refresh/schedules/index.js';
export { lookOnly, refreshTurn } from './workflows/refresh/turn.js';
