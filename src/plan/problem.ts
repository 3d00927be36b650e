import { recomputeSeconds } from '../cost/prefill.js';
import { segmentLoadSeconds } from '../cost/transfer.js';
import { optionUtility } from '../cost/utility.js';
import { EvicpressError, errors, printable } from '../errors.js';
import type { Model } from '../formats/model.js';
import { UNCOMPRESSED } from '../formats/plan.js';
import type { Tier, Transfer } from '../formats/tiers.js';
import { type BudgetOptions, type Budgets, readBudgets } from './budgets.js';
import type { CurveBook, StoredForm } from './curves.js';
import type { Demand } from './demand.js';
import { InfeasibleError } from './infeasible.js';

/** A choice that keeps nothing. Other choices are `tier · forms + form`. */
export const KEEP_NOTHING = -1;

/** A tier as the solvers see it. */
export interface ProblemTier {
  readonly name: string;
  readonly kind: string;
  /** Capacity less what the engine reserves; Infinity for unlimited. */
  readonly capacityBytes: number;
  /** What the engine reserves. */
  readonly reservedBytes: number;
  readonly read: Transfer;
  /** The affine law of `read`, for inner loops; `tabled` says that the table replaces it. */
  readonly latencySeconds: number;
  readonly secondsPerByte: number;
  readonly tabled: boolean;
  /** Bandwidth budget in bytes loaded per second; Infinity for none. */
  readonly bytesPerSecondBudget: number;
  /** Money that a stored byte costs in a month; 0 where nobody said. */
  readonly moneyPerByte: number;
}

/**
 * Every stored form of every curve, in columns. Curve c's forms are `offsets[c] .. offsets[c + 1]`; the first
 * is always the uncompressed cache.
 */
export interface FormTable {
  readonly offsets: Int32Array;
  readonly storedBytes: Float64Array;
  /** Scale of storedBytes: bytes of i are ceil(fullBytes_i · storedBytes / ofBytes); 0: as they are. */
  readonly ofBytes: Float64Array;
  readonly quality: Float64Array;
  readonly decompressSecondsPerByte: Float64Array;
  /** Index into lossyNames; −1 for the uncompressed cache. */
  readonly lossyOf: Int32Array;
  /** Each distinct (method, ratio). */
  readonly lossyNames: readonly { readonly method: string; readonly compressionRatio: number }[];
}

/** An instance of the planning problem: a multiple-choice knapsack, with a prefix closure where contexts have parents. */
export interface Problem {
  readonly demand: Demand;
  readonly alpha: number;
  readonly tiers: readonly ProblemTier[];
  readonly forms: FormTable;
  /** Curve of each context. */
  readonly curveOf: Int32Array;
  /** Bit t: tier t is allowed; bit `tiers.length`: recompute is allowed. */
  readonly allowed: Uint32Array;
  /** Seconds to recompute each context. */
  readonly recomputeSeconds: Float64Array;
  readonly hasParents: boolean;
  /** Limits and charges beyond the tiers' own; absent where there are none. */
  readonly budgets?: Budgets;
  /** The choice in force, by context, KEEP_NOTHING where there is none; absent where no plan is in force. */
  readonly inForce?: Int32Array;
  /** Seconds of waiting that writing one byte is worth; absent where changing the plan in force is free. */
  readonly movingSecondsPerByte?: number;
}

/** What beyond the measurements shapes the problem. */
export interface ProblemOptions extends Constraints {
  readonly alpha: number;
}

/** What a plan must keep to beyond capacities. */
export interface Constraints extends BudgetOptions {
  /** A floor for every context; a context's own floor may be higher. */
  readonly minQuality?: number;
  /** Floors for the contexts of a class. */
  readonly minQualityOfClass?: Readonly<Record<string, number>>;
  /** Names of tiers (or `recompute`) that no context may use. */
  readonly forbidden?: readonly string[];
  /** Share of each tier's bandwidth that loads may use, by tier name or for all. */
  readonly bandwidthShare?: number;
}

/** The constraints that a demand knows the tenants and classes of: a recent part of a log need not have them all. */
export function knownConstraints(constraints: Constraints, demand: Demand): Constraints {
  const { tenantShares = [], minQualityOfClass = {} } = constraints;
  return {
    ...constraints,
    tenantShares: tenantShares.filter(({ tenant }) => demand.tenants.includes(tenant)),
    minQualityOfClass: Object.fromEntries(
      Object.entries(minQualityOfClass).filter(([name]) => demand.classes.includes(name)),
    ),
  };
}

/**
 * Turns measurements and demand into options.
 * @param tiers fast to slow, capacities already overridden.
 * @throws EvicpressError when a pin or a floor leaves a context without any option.
 */
export function buildProblem(
  demand: Demand,
  tiers: readonly Tier[],
  model: Model,
  curves: CurveBook,
  options: ProblemOptions,
): Problem {
  const forbidden = new Set(options.forbidden ?? []);
  for (const name of forbidden) {
    if (name !== 'recompute' && !tiers.some((tier) => tier.name === name))
      throw errors.unknownName('tier', name, [...tiers.map((tier) => tier.name), 'recompute']);
  }
  for (const name of Object.keys(options.minQualityOfClass ?? {}))
    if (!demand.classes.includes(name)) throw errors.unknownName('class', name, demand.classes);
  const problemTiers = tiers.map((tier) => ({
    name: tier.name,
    kind: tier.kind,
    capacityBytes: usableBytes(tier),
    reservedBytes: tier.reservedBytes ?? 0,
    read: tier.read,
    latencySeconds: tier.read.latencySeconds,
    secondsPerByte: 1 / tier.read.bytesPerSecond,
    tabled: (tier.read.table?.length ?? 0) > 0,
    bytesPerSecondBudget:
      options.bandwidthShare === undefined
        ? Number.POSITIVE_INFINITY
        : options.bandwidthShare * peakBytesPerSecond(tier.read),
    moneyPerByte: (tier.pricePerGbMonth ?? 0) / 1e9,
  }));
  const hasParents = demand.parents.some((parent) => parent >= 0);
  const budgets = readBudgets(demand, problemTiers, options);
  const builder = new FormBuilder();
  const { curveOf, allowed } = assignOptions(
    demand,
    problemTiers,
    curves,
    options,
    forbidden,
    hasParents,
    builder,
  );
  for (const { tenant, tier, share } of budgets?.tenantShares ?? [])
    if (share === 0)
      for (let i = 0; i < demand.contexts; i++)
        if (demand.tenantOf[i] === tenant) allowed[i]! &= ~(1 << tier);
  return {
    demand,
    alpha: options.alpha,
    tiers: problemTiers,
    forms: builder.table(),
    curveOf,
    allowed,
    recomputeSeconds: Float64Array.from(demand.tokens, (tokens, i) =>
      recomputeSeconds(model, demand.startTokens[i]!, tokens),
    ),
    hasParents,
    ...(budgets === undefined ? {} : { budgets }),
  };
}

function usableBytes(tier: Tier): number {
  if (tier.capacityBytes === null) return Number.POSITIVE_INFINITY;
  return Math.max(0, tier.capacityBytes - (tier.reservedBytes ?? 0));
}

function peakBytesPerSecond(read: Transfer): number {
  return Math.max(read.bytesPerSecond, ...(read.byStreams ?? []).map((point) => point.bytesPerSecond));
}

function assignOptions(
  demand: Demand,
  tiers: readonly ProblemTier[],
  curves: CurveBook,
  { minQuality = 0, minQualityOfClass = {} }: ProblemOptions,
  forbidden: ReadonlySet<string>,
  hasParents: boolean,
  builder: FormBuilder,
): { curveOf: Int32Array; allowed: Uint32Array } {
  const n = demand.contexts;
  const curveOf = new Int32Array(n);
  const allowed = new Uint32Array(n);
  const curveOfSlot = new Int32Array(2 * (demand.classes.length + 1)).fill(-1);
  const everywhere = tiers.reduce(
    (mask, tier, t) => (forbidden.has(tier.name) || !hasRoom(tier) ? mask : mask | (1 << t)),
    0,
  );
  const recomputeBit = forbidden.has('recompute') ? 0 : 1 << tiers.length;
  const children = hasParents ? countChildren(demand) : undefined;
  for (let i = 0; i < n; i++) {
    const contextClass = demand.classOf[i]! < 0 ? undefined : demand.classes[demand.classOf[i]!];
    const pin = demand.pins?.get(i);
    const floor = Math.max(
      minQuality,
      demand.minQuality?.[i] ?? 0,
      contextClass === undefined ? 0 : (minQualityOfClass[contextClass] ?? 0),
    );
    // Lossy heads would bind every path below them to their method and ratio: shared segments stay whole.
    const whole = children !== undefined && children[i]! > 1;
    const shared = pin?.method === undefined && !curves.hasOwn(demand.ids[i]!);
    // Most contexts have the floor of their class: their curve is looked up by number.
    const slot =
      shared && demand.minQuality === undefined ? 2 * (demand.classOf[i]! + 1) + (whole ? 1 : 0) : -1;
    if (slot >= 0 && curveOfSlot[slot]! >= 0) curveOf[i] = curveOfSlot[slot]!;
    else {
      const key = shared ? `${whole ? 1 : 0} ${floor} ${contextClass ?? ''}` : undefined;
      curveOf[i] = builder.curve(key, () => {
        const forms = whole
          ? []
          : curves.formsOf(demand.ids[i]!, contextClass).filter((form) => form.quality >= floor);
        return pin?.method === undefined
          ? { none: true, forms }
          : pinnedForms(demand.ids[i]!, pin, curves.formsOf(demand.ids[i]!, contextClass), floor);
      });
      if (slot >= 0) curveOfSlot[slot] = curveOf[i]!;
    }
    allowed[i] = pin === undefined ? everywhere | recomputeBit : pinnedTier(demand.ids[i]!, pin.tier, tiers);
  }
  return { curveOf, allowed };
}

function hasRoom(tier: ProblemTier): boolean {
  return tier.capacityBytes > 0 && tier.bytesPerSecondBudget > 0;
}

function pinnedTier(context: string, tier: string, tiers: readonly ProblemTier[]): number {
  const index = tiers.findIndex((entry) => entry.name === tier);
  if (tier === 'recompute') return 1 << tiers.length;
  if (index < 0)
    throw new EvicpressError(
      `Context "${printable(context)}" is pinned to tier "${printable(tier)}", which is not in the tier profile. Tiers: ${tiers.map((entry) => entry.name).join(', ')}.`,
    );
  if (!hasRoom(tiers[index]!))
    throw new InfeasibleError(
      `Context "${printable(context)}" is pinned to tier ${tier}, which has no room. Raise its capacity, or drop the pin.`,
    );
  return 1 << index;
}

function pinnedForms(
  context: string,
  pin: { method?: string; compressionRatio?: number },
  offered: readonly StoredForm[],
  floor: number,
): { none: boolean; forms: readonly StoredForm[] } {
  if (pin.method === UNCOMPRESSED) return { none: true, forms: [] };
  const forms = offered.filter(
    (form) =>
      form.method === pin.method &&
      (pin.compressionRatio === undefined || Math.abs(form.compressionRatio - pin.compressionRatio) < 0.01),
  );
  if (forms.length === 0)
    throw new EvicpressError(
      `Context "${printable(context)}" is pinned to method "${printable(pin.method ?? '')}", for which the method profile has no row. Profile it, or change the pin.`,
    );
  const good = forms.filter((form) => form.quality >= floor);
  if (good.length === 0)
    throw new InfeasibleError(
      `Context "${printable(context)}" is pinned to method "${printable(pin.method ?? '')}", whose quality is below the floor ${floor}. Lower the floor, or change the pin.`,
    );
  return { none: false, forms: good };
}

/** Number of children of each context. */
export function countChildren(demand: Demand): Int32Array {
  const children = new Int32Array(demand.contexts);
  for (const parent of demand.parents) if (parent >= 0) children[parent]!++;
  return children;
}

/** Collects curves, each distinct one once. */
class FormBuilder {
  private readonly byKey = new Map<string, number>();
  private readonly curves: StoredForm[][] = [];
  private readonly lossy = new Map<string, number>();
  private readonly lossyNames: { method: string; compressionRatio: number }[] = [];

  curve(key: string | undefined, make: () => { none: boolean; forms: readonly StoredForm[] }): number {
    const known = key === undefined ? undefined : this.byKey.get(key);
    if (known !== undefined) return known;
    const { none, forms } = make();
    this.curves.push(none ? [WHOLE, ...forms] : [...forms]);
    if (key !== undefined) this.byKey.set(key, this.curves.length - 1);
    return this.curves.length - 1;
  }

  table(): FormTable {
    const offsets = new Int32Array(this.curves.length + 1);
    this.curves.forEach((forms, c) => {
      offsets[c + 1] = offsets[c]! + forms.length;
    });
    const all = this.curves.flat();
    return {
      offsets,
      storedBytes: Float64Array.from(all, (form) => form.storedBytes),
      ofBytes: Float64Array.from(all, (form) => form.ofBytes),
      quality: Float64Array.from(all, (form) => form.quality),
      decompressSecondsPerByte: Float64Array.from(all, (form) => form.decompressSecondsPerByte),
      lossyOf: Int32Array.from(all, (form) => (form === WHOLE ? -1 : this.lossyIndex(form))),
      lossyNames: this.lossyNames,
    };
  }

  private lossyIndex({ method, compressionRatio }: StoredForm): number {
    const key = `${method}@${compressionRatio}`;
    let index = this.lossy.get(key);
    if (index === undefined) {
      index = this.lossyNames.push({ method, compressionRatio }) - 1;
      this.lossy.set(key, index);
    }
    return index;
  }
}

/** The uncompressed cache: all of the context's bytes, quality 1. */
const WHOLE: StoredForm = {
  method: UNCOMPRESSED,
  compressionRatio: 0,
  storedBytes: 1,
  ofBytes: 1,
  quality: 1,
  decompressSecondsPerByte: 0,
};

/** Bytes context i takes in a form; pooled forms are scaled by the context's size and rounded up. */
export function storedBytesOf(problem: Problem, i: number, form: number): number {
  const { storedBytes, ofBytes, lossyOf } = problem.forms;
  if (lossyOf[form]! < 0) return problem.demand.fullBytes[i]!;
  const scale = ofBytes[form]!;
  return scale === 0
    ? storedBytes[form]!
    : Math.ceil((problem.demand.fullBytes[i]! * storedBytes[form]!) / scale);
}

/** Seconds until context i is loaded from a tier in a form (contract: the plan's sums). */
export function loadSecondsOf(problem: Problem, i: number, tier: number, form: number): number {
  const { demand, forms } = problem;
  const { tabled, read, latencySeconds, secondsPerByte } = problem.tiers[tier]!;
  const bytes = storedBytesOf(problem, i, form);
  const share = demand.requestShare[i]!;
  const load = tabled
    ? segmentLoadSeconds(read, bytes, share)
    : share * latencySeconds + bytes * secondsPerByte;
  return load + forms.decompressSecondsPerByte[form]! * demand.fullBytes[i]!;
}

/** Seconds of TTFT under a choice. */
export function ttftOf(problem: Problem, i: number, choice: number): number {
  if (choice === KEEP_NOTHING) return problem.recomputeSeconds[i]!;
  const count = problem.forms.storedBytes.length;
  return loadSecondsOf(problem, i, Math.floor(choice / count), choice % count);
}

/** Quality under a choice; recomputing gives the full cache's answer. */
export function qualityOf(problem: Problem, choice: number): number {
  return choice === KEEP_NOTHING ? 1 : problem.forms.quality[choice % problem.forms.storedBytes.length]!;
}

/** Utility of a choice in the period, less its charge and what it costs to get there from the plan in force. */
export function utilityOf(problem: Problem, i: number, choice: number): number {
  const { demand, alpha, budgets } = problem;
  const utility = optionUtility(
    demand.accesses[i]!,
    alpha,
    demand.requestShare[i]!,
    qualityOf(problem, choice),
    ttftOf(problem, i, choice),
  );
  return (
    utility -
    movingCost(problem, i, choice) -
    (budgets === undefined ? 0 : chargeOf(problem, budgets, i, choice))
  );
}

/** What the bytes of a choice are charged, in utility. */
function chargeOf(problem: Problem, { charge }: Budgets, i: number, choice: number): number {
  if (choice === KEEP_NOTHING) return 0;
  const count = problem.forms.storedBytes.length;
  return charge[Math.floor(choice / count)]! * storedBytesOf(problem, i, choice % count);
}

/**
 * Seconds that a change of choice costs: writing the bytes, and once the prefill where the cache in force is
 * lossy and another form is wanted, because what compression dropped can only be computed again.
 */
export function movingCost(problem: Problem, i: number, choice: number): number {
  const { inForce, movingSecondsPerByte, forms } = problem;
  if (inForce === undefined || movingSecondsPerByte === undefined) return 0;
  const before = inForce[i]!;
  if (choice === KEEP_NOTHING || choice === before) return 0;
  const count = forms.storedBytes.length;
  const write = movingSecondsPerByte * storedBytesOf(problem, i, choice % count);
  const rebuilt =
    before !== KEEP_NOTHING && forms.lossyOf[before % count]! >= 0 && choice % count !== before % count;
  return rebuilt ? write + problem.recomputeSeconds[i]! : write;
}
