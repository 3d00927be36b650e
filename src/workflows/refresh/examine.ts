import type { ServedModel } from '../../engines/served.js';
import { EvicpressError } from '../../errors.js';
import type { MethodRow } from '../../formats/methods.js';
import type { Plan } from '../../formats/plan.js';
import type { Trace } from '../../traces/trace.js';
import { correct } from './corrections.js';
import type { Corrected } from './decide.js';
import type { DriftFinding, DriftSetting } from './drift/check.js';
import { unexplained } from './drift/identity.js';
import { quality } from './drift/quality.js';
import { readSamples } from './drift/samples.js';
import type { TurnInputs, TurnOptions, TurnTools } from './options.js';
import type { PlanInForce, PlanStore } from './plan-store.js';
import { rememberProbes } from './probes.js';
import type { ReadLog } from './read-log.js';
import { readReprofiled, reprofile, withReprofiled } from './reprofile.js';
import type { RefreshState } from './state.js';

/** What every step of a turn works with. */
export interface Turn {
  readonly options: TurnOptions;
  readonly tools: TurnTools;
  readonly store: PlanStore;
  /** When the turn began. */
  readonly inForce: PlanInForce | undefined;
  readonly log: ReadLog;
  readonly served: ServedModel | undefined;
  /** Tiers are to be probed. */
  readonly probing: boolean;
}

/** Everything a decision needs to know. */
export interface Examined {
  readonly inputs: TurnInputs;
  readonly plan: Plan | undefined;
  readonly trace: Trace | undefined;
  readonly findings: readonly DriftFinding[];
  readonly setting: DriftSetting;
  /** Rows that earlier turns measured anew. */
  readonly reprofiled: readonly MethodRow[];
}

/** Loads the measurements, the plan in force and the recent requests, and looks for drift. Writes nothing. */
export async function examine({
  options,
  tools,
  store,
  inForce,
  log,
  served,
  probing,
}: Turn): Promise<Examined> {
  const { state } = log;
  const inputs = await tools.loadInputs(state.log.blockTokens);
  for (const warning of inputs.warnings) tools.tell('warn', warning);
  const plan = inForce === undefined ? undefined : await store.read(inForce);
  const reprofiled = await readReprofiled(options.folder, inputs);
  const setting: DriftSetting = {
    plan,
    state,
    thresholds: options.thresholds,
    tiers: correct(inputs, state, []).tiers,
    model: inputs.model,
    engine: options.engine,
    served,
    methods: withReprofiled(inputs.methods, reprofiled),
    files: inputs.files,
    trace: await log.trace(),
    samples: options.samples === undefined ? [] : await readSamples(options.samples),
    probe: probing ? (tier) => tools.measureTier(tier, options.probeSeconds) : undefined,
  };
  // Planner and simulator are loaded only by turns that have something to decide.
  const { lookForDrift } = await import('./drift/index.js');
  const findings = await lookForDrift(setting);
  return { inputs, plan, trace: setting.trace, findings, setting, reprofiled };
}

/**
 * Says what drifted.
 * @throws EvicpressError where the engine shows that it serves something that nobody has measured.
 */
export function tellDrift({ findings }: Examined, { options, tools }: Turn): void {
  for (const { drifted, evidence, check, subject } of findings)
    if (drifted) tools.tell('warn', evidence, { check, subject });
  const evidence = unexplained(findings);
  if (evidence === undefined || options.resume) return;
  throw new EvicpressError(
    `${evidence}. Model and profiles are of what was served before, so nothing was planned. Name what is served with --model and profile it with \`evicpress profile methods\`, or take the change as harmless with --resume.`,
  );
}

/**
 * Measures anew what drifted, within the budget: first tiers, then methods with what is left of it.
 * @returns the state with what was learned, and the measurements as they stand corrected.
 */
export async function measureAnew(
  { options, tools, log, probing }: Turn,
  { inputs, findings, setting, reprofiled }: Examined,
): Promise<{ state: RefreshState; corrected: Corrected }> {
  const startedAt = performance.now();
  const state = probing ? await rememberProbes(log.state, findings, inputs, options, tools) : log.state;
  const left = options.budgetSeconds - (performance.now() - startedAt) / 1000;
  if (options.dryRun || left <= 0 || !findings.some(({ corrected }) => corrected !== undefined))
    return { state, corrected: correct(withRows(inputs, setting.methods), state, findings) };
  const contexts = setting.samples.flatMap((sample) => sample.context ?? []);
  const anew = await reprofile(findings, contexts, reprofiled, inputs, left, options, tools);
  const methods = withReprofiled(inputs.methods, anew);
  const others = findings.filter(({ check }) => check !== quality.name);
  // What is measured now may explain the answers; what it does not explain still scales the profile.
  const judged = [...others, ...(await quality.check({ ...setting, methods }))];
  return { state, corrected: correct(withRows(inputs, methods), state, judged) };
}

function withRows(inputs: TurnInputs, methods: readonly MethodRow[]): TurnInputs {
  return { ...inputs, methods };
}
