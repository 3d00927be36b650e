import type { Command } from 'commander';
import { offerOf } from '../engines/offer.js';
import { readConfig } from '../formats/config.js';
import type { PlanHeader } from '../formats/plan.js';
import { inputsOfPlan } from '../formats/plan-inputs.js';
import { fitCurves } from '../plan/curves.js';
import { buildProblem, type Problem } from '../plan/problem.js';
import { parseNumber } from '../units.js';
import { blockBytesOf, DEMAND_OPTIONS, type DemandFlags, openDemand, readDemand } from './demand.js';
import { INPUT_OPTIONS, type InputFlags, type Inputs, loadInputs } from './inputs.js';
import { collect } from './options.js';
import { ENGINE_OPTIONS, type EngineFlags } from './plan-engine.js';

/** The flags that say which planning problem is meant: those of `evicpress plan`. */
export interface ProblemFlags extends InputFlags, DemandFlags, EngineFlags {
  readonly alpha?: string;
  readonly minQuality?: string;
  readonly confidence?: string;
  readonly bandwidthShare?: string;
  readonly forbid?: readonly string[];
}

/** The planning problem of the flags, with the measurements it was built from. */
export interface ReadProblem {
  readonly problem: Problem;
  readonly inputs: Inputs;
}

/** Seconds of TTFT one unit of quality is worth where nobody says, as for `evicpress plan`. */
const DEFAULT_ALPHA = '1';

/** Adds the flags that say which problem is meant. */
export function addProblemOptions(command: Command): Command {
  for (const [flags, description] of [...DEMAND_OPTIONS, ...INPUT_OPTIONS, ...ENGINE_OPTIONS])
    command.option(flags, description);
  return command
    .option('--capacity <tier=size>', 'capacity of a tier, e.g. dram=80GB; repeat for more', collect)
    .option('--alpha <seconds>', `seconds of TTFT one unit of quality is worth (default: ${DEFAULT_ALPHA})`)
    .option('--min-quality <q>', 'quality floor for every context')
    .option('--confidence <p>', 'plan on the lower bound of quality that holds with this probability')
    .option('--bandwidth-share <share>', "share of each tier's bandwidth that loads may use")
    .option('--forbid <tier>', 'a tier no context may use, or recompute; repeat for more', collect);
}

/**
 * Reads the inputs and builds the problem.
 * @param plan a plan whose alpha, floor, confidence and capacities hold where no flag says otherwise.
 * @throws EvicpressError naming what is missing or contradicts.
 */
export async function readProblem(given: ProblemFlags, plan?: PlanHeader): Promise<ReadProblem> {
  const flags = plan === undefined ? given : await asPlanned(given, plan);
  const source = await openDemand(flags, await readConfig('.'));
  const inputs = await loadInputs(flags, blockBytesOf(source));
  const { config, model } = inputs;
  const named = new Set((flags.capacity ?? []).map((flag) => flag.split('=')[0]));
  const tiers = inputs.tiers.map((tier) => {
    const planned = named.has(tier.name) ? undefined : plan?.tiers.find((entry) => entry.name === tier.name);
    if (planned === undefined) return tier;
    // The plan's capacity is what was left after the engine's own room.
    return { ...tier, capacityBytes: planned.capacityBytes, reservedBytes: 0 };
  });
  const objective: { alpha?: number; minQuality?: unknown; confidence?: unknown } = plan?.objective ?? {};
  const number = (flag: string | undefined, name: string, planned: unknown, min: number, max?: number) => {
    const text = flag ?? (typeof planned === 'number' ? String(planned) : undefined);
    return text === undefined
      ? undefined
      : parseNumber(text, name, max === undefined ? { min } : { min, max });
  };
  const minQuality = number(
    flags.minQuality,
    '--min-quality',
    objective.minQuality ?? (plan === undefined ? numberOf(config.minQuality) : undefined),
    0,
    1,
  );
  const confidence = number(flags.confidence, '--confidence', objective.confidence, 0.5, 0.9999);
  const bandwidthShare = number(flags.bandwidthShare, '--bandwidth-share', undefined, 0, 1);
  const { offered, forbidden } = offerOf(flags.engine ?? config.engine, tiers);
  const curves = fitCurves(inputs.methods.rows, {
    ...(confidence === undefined ? {} : { confidence }),
    ...(offered === undefined ? {} : { methods: offered }),
  });
  const alpha = flags.alpha ?? plan?.objective.alpha ?? config.alpha ?? DEFAULT_ALPHA;
  const problem = buildProblem(await readDemand(source, model), tiers, model, curves, {
    alpha: parseNumber(String(alpha), '--alpha', { min: 0 }),
    ...(minQuality === undefined ? {} : { minQuality }),
    ...(bandwidthShare === undefined ? {} : { bandwidthShare }),
    forbidden: [...(flags.forbid ?? []), ...forbidden],
  });
  return { problem, inputs: { ...inputs, tiers } };
}

/** The flags, with the plan's own inputs where they say nothing. A mismatch the plan accepted is accepted again. */
async function asPlanned(flags: ProblemFlags, plan: PlanHeader): Promise<ProblemFlags> {
  const { tiers, methods, contexts, trace, changed, gone } = await inputsOfPlan(plan);
  const isWhole = changed.length === 0 && gone.length === 0;
  const demand =
    flags.trace === undefined && flags.contexts === undefined
      ? { ...(contexts === undefined ? {} : { contexts }), ...(trace === undefined ? {} : { trace }) }
      : {};
  const profile = flags.methods ?? methods ?? (isWhole ? 'none' : undefined);
  const model = flags.model ?? plan.model ?? undefined;
  return {
    ...flags,
    ...demand,
    ...(flags.tiers !== undefined || tiers === undefined ? {} : { tiers }),
    ...(profile === undefined ? {} : { methods: profile }),
    ...(methods !== undefined && profile === methods ? { allowModelMismatch: true } : {}),
    ...(model === undefined ? {} : { model }),
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
