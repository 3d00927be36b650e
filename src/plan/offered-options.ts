import { EvicpressError, printable } from '../errors.js';
import { UNCOMPRESSED } from '../formats/names.js';
import type { ProblemOptions } from './constraints.js';
import type { CurveBook, StoredForm } from './curves.js';
import type { Demand } from './demand.js';
import type { FormBuilder } from './forms.js';
import { InfeasibleError } from './infeasible.js';
import { hasRoom, type ProblemTier } from './problem-tiers.js';

/**
 * What every context is offered: its curve, and as bits the tiers and recompute that are allowed.
 * @throws EvicpressError when a pin or a floor leaves a context without any option.
 */
export function assignOptions(
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

function pinnedTier(context: string, tier: string, tiers: readonly ProblemTier[]): number {
  const index = tiers.findIndex((entry) => entry.name === tier);
  if (tier === 'recompute') return 1 << tiers.length;
  if (index < 0)
    throw new EvicpressError(
      `Context "${printable(context)}" is pinned to tier "${printable(tier)}", which is not in the tier profile. Tiers: ${tiers.map((entry) => entry.name).join(', ')}.`,
    );
  if (!hasRoom(tiers[index]!))
    throw new InfeasibleError({
      message: `Context "${printable(context)}" is pinned to tier ${tier}, which has no room. Raise its capacity, or drop the pin.`,
    });
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
    throw new InfeasibleError({
      message: `Context "${printable(context)}" is pinned to method "${printable(pin.method ?? '')}", whose quality is below the floor ${floor}. Lower the floor, or change the pin.`,
    });
  return { none: false, forms: good };
}

/** Number of children of each context. */
export function countChildren(demand: Demand): Int32Array {
  const children = new Int32Array(demand.contexts);
  for (const parent of demand.parents) if (parent >= 0) children[parent]!++;
  return children;
}
