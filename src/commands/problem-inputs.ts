import type { Command } from 'commander';
import { type Offer, offerOf } from '../engines/offer.js';
import { type Config, readConfig } from '../formats/config.js';
import { RANGES } from '../formats/option-values.js';
import type { PlanHeader } from '../formats/plan.js';
import { inputsOfPlan } from '../formats/plan-inputs.js';
import type { Constraints } from '../plan/constraints.js';
import { constraintsOf } from '../plan/demands.js';
import { type PlanRequest, problemOf } from '../plan/plan-contexts.js';
import type { Problem } from '../plan/problem.js';
import { parseNumber } from '../units.js';
import {
  addConstraintOptions,
  CONSTRAINED_TIERS,
  type ConstraintFlags,
  readConstraints,
} from './constraints.js';
import {
  blockBytesOf,
  DEMAND_OPTIONS,
  type DemandFlags,
  type DemandSource,
  openDemand,
  readDemand,
} from './demand.js';
import { INPUT_OPTIONS, type InputFlags, type Inputs, loadInputs } from './inputs.js';
import { expectKnownTiers } from './known-tiers.js';
import { collect } from './options.js';
import { ENGINE_OPTIONS, type EngineFlags } from './plan-engine.js';

/** The flags that say which planning problem is meant: those of `evicpress plan`. */
export interface ProblemFlags extends InputFlags, DemandFlags, EngineFlags, ConstraintFlags {
  readonly alpha?: string;
  readonly confidence?: string;
}

/** What is to be planned, with where it came from. */
export interface ReadRequest {
  readonly source: DemandSource;
  readonly inputs: Inputs;
  /** Without the restriction to an engine: see `offer`. */
  readonly request: PlanRequest;
  /** The engine that is planned for, and what it can carry out. */
  readonly engine: string | undefined;
  readonly offer: Offer;
}

/** Seconds of TTFT one unit of quality is worth where nobody says: a choice, not a measurement. */
const DEFAULT_ALPHA = '1';

/** Adds the flags that say which problem is meant. */
export function addProblemOptions(command: Command): Command {
  for (const [flags, description] of [...DEMAND_OPTIONS, ...INPUT_OPTIONS, ...ENGINE_OPTIONS])
    command.option(flags, description);
  command
    .option(
      '--capacity <tier=size>',
      'capacity of a tier, e.g. dram=80GB, ssd=unlimited; repeat for more',
      collect,
    )
    .option('--alpha <seconds>', `seconds of TTFT one unit of quality is worth (default: ${DEFAULT_ALPHA})`)
    .option('--confidence <p>', 'plan on the lower bound of quality that holds with this probability');
  return addConstraintOptions(command);
}

/**
 * Reads the inputs of a planning problem.
 * @param plan a plan whose alpha, confidence, capacities, prices and demands hold where no flag says otherwise.
 * @throws EvicpressError naming what is missing or contradicts.
 */
export async function readRequest(given: ProblemFlags, plan?: PlanHeader): Promise<ReadRequest> {
  const flags = plan === undefined ? given : await asPlanned(given, plan);
  const source = await openDemand(flags, await readConfig('.'));
  const read = await loadInputs(flags, blockBytesOf(source));
  const { config, model } = read;
  const tiers = plan === undefined ? read.tiers : asTheyWere(read.tiers, plan, flags);
  const noticed = source.kind === 'trace' ? source.trace.warnings : [];
  const planned = plan?.objective;
  const constraints =
    plan === undefined ? readConstraints(flags, config) : constraintsAsPlanned(flags, config, plan);
  await expectKnownTiers(
    CONSTRAINED_TIERS,
    flags,
    config,
    read.tiers.map((tier) => tier.name),
  );
  const bound =
    flags.confidence ?? planned?.confidence ?? (planned === undefined ? config.confidence : undefined);
  const confidence =
    bound === undefined ? undefined : parseNumber(String(bound), '--confidence', RANGES.confidence);
  const alpha = flags.alpha ?? planned?.alpha ?? config.alpha ?? DEFAULT_ALPHA;
  const engine = flags.engine ?? (plan?.demands === undefined ? config.engine : plan.engine);
  return {
    source,
    inputs: { ...read, tiers, warnings: [...read.warnings, ...noticed] },
    request: {
      demand: await readDemand(source, model),
      tiers,
      model,
      methods: read.methods.rows,
      alpha: parseNumber(String(alpha), '--alpha', RANGES.alpha),
      ...constraints,
      ...(confidence === undefined ? {} : { confidence }),
    },
    engine,
    offer: offerOf(engine, tiers),
  };
}

/** What a plan had to keep to, but for what flags ask instead; plans of former versions tell of their floors only. */
function constraintsAsPlanned(
  flags: ProblemFlags,
  config: Config,
  { demands, objective }: PlanHeader,
): Constraints {
  const asked = readConstraints(flags, demands === undefined ? config : {});
  const given = Object.fromEntries(
    Object.entries(asked).filter(([, value]) => typeof value !== 'object' || Object.keys(value).length > 0),
  );
  const { minQuality, minQualityOfClass } = objective;
  const floors = {
    ...(minQuality === undefined ? {} : { minQuality }),
    ...(minQualityOfClass === undefined ? {} : { minQualityOfClass }),
  };
  return { ...(demands === undefined ? floors : constraintsOf(demands)), ...given };
}

/** The flags, with the plan's own inputs where they say nothing. A mismatch the plan accepted is accepted again. */
async function asPlanned(flags: ProblemFlags, plan: PlanHeader): Promise<ProblemFlags> {
  const { tiers, methods, contexts, trace, model: file, changed, gone } = await inputsOfPlan(plan);
  const isWhole = changed.length === 0 && gone.length === 0;
  const demand =
    flags.trace === undefined && flags.contexts === undefined
      ? { ...(contexts === undefined ? {} : { contexts }), ...(trace === undefined ? {} : { trace }) }
      : {};
  const profile = flags.methods ?? methods ?? (isWhole ? 'none' : undefined);
  const model = flags.model ?? file ?? plan.model ?? undefined;
  return {
    ...flags,
    ...demand,
    ...(flags.tiers !== undefined || tiers === undefined ? {} : { tiers }),
    ...(profile === undefined ? {} : { methods: profile }),
    ...(methods !== undefined && profile === methods ? { allowModelMismatch: true } : {}),
    ...(model === undefined ? {} : { model }),
  };
}

/** A request within what an engine can carry out. */
export function offeredRequest(request: PlanRequest, { offered, forbidden }: Offer): PlanRequest {
  return {
    ...request,
    ...(offered === undefined ? {} : { offered }),
    forbidden: [...(request.forbidden ?? []), ...forbidden],
  };
}

/** The planning problem of the flags, with the measurements it was built from. @throws EvicpressError */
export async function readProblem(
  flags: ProblemFlags,
  plan?: PlanHeader,
): Promise<{ readonly problem: Problem; readonly inputs: Inputs }> {
  const { request, offer, inputs } = await readRequest(flags, plan);
  return { problem: problemOf(offeredRequest(request, offer)), inputs };
}

/** The tiers with a plan's capacities and prices where no flag gives others: what was left after the engine's own room. */
function asTheyWere(
  tiers: Inputs['tiers'],
  plan: PlanHeader,
  { capacity = [], price = [] }: ProblemFlags,
): Inputs['tiers'] {
  const names = (flags: readonly string[]) =>
    new Set(flags.map((flag) => flag.slice(0, flag.lastIndexOf('='))));
  const [sized, priced] = [names(capacity), names(price)];
  return tiers.map((tier) => {
    const planned = plan.tiers.find((entry) => entry.name === tier.name);
    if (planned === undefined) return tier;
    const { capacityBytes, pricePerGbMonth } = planned;
    return {
      ...tier,
      ...(sized.has(tier.name) ? {} : { capacityBytes, reservedBytes: 0 }),
      ...(priced.has(tier.name) || pricePerGbMonth === undefined ? {} : { pricePerGbMonth }),
    };
  });
}
