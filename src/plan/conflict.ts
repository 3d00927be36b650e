import { printable } from '../errors.js';
import { formatBytes } from '../units.js';
import { InfeasibleError } from './infeasible.js';
import type { PlanRequest } from './plan-contexts.js';

/** One thing that is asked of a plan, and the request without it. */
interface Wish {
  readonly text: string;
  readonly without: (request: PlanRequest) => PlanRequest;
}

/** Of at most so many wishes in conflict each is tried out: whether a plan is found without it. */
const MOST_TRIED = 20;
/** More wishes of one kind than this are named as one. */
const MOST_OF_A_KIND = 2000;

/** Whether a plan that keeps all wishes was found; if not, whether it is certain that there is none. */
export type Feasibility = 'found' | 'impossible' | 'not found';

/**
 * Names an irreducible set of wishes that contradict each other: leave any one of them out, and a plan is found.
 * Found by bisection, so that a few wishes among thousands take some dozens of trials (Junker, QuickXplain, AAAI
 * 2004).
 * @param solver the one that found no plan.
 */
export function conflictIn(
  request: PlanRequest,
  solver: string,
  tried: (request: PlanRequest) => Feasibility,
): InfeasibleError {
  const wishes = wishesOf(request);
  const outcome = (kept: readonly Wish[]) => {
    const among = new Set(kept);
    return tried(wishes.reduce((rest, wish) => (among.has(wish) ? rest : wish.without(rest)), request));
  };
  const holds = (kept: readonly Wish[]) => outcome(kept) === 'found';
  if (holds(wishes))
    return new InfeasibleError({
      isProved: false,
      message: `Solver ${solver} ends without a plan that keeps every limit, though there is one. Take --solver dual.`,
    });
  if (!holds([])) return new InfeasibleError();
  const conflict = explain([], false, wishes, holds);
  const isProved = outcome(conflict) === 'impossible';
  const texts = conflict.map((wish) => wish.text).join('; ');
  const remedy = remedyOf(conflict, (one) => holds(wishes.filter((wish) => wish !== one)));
  return new InfeasibleError({
    isProved,
    message: isProved
      ? `No plan keeps all of these together: ${texts}. ${remedy}`
      : `No plan was found that keeps all of these together, though it is not proved that there is none: ${texts}. ${remedy}`,
  });
}

/** What to do about a conflict: without one of its wishes there may still be others that contradict each other. */
function remedyOf(conflict: readonly Wish[], suffices: (one: Wish) => boolean): string {
  const loosen = 'Give up or loosen one of them';
  if (conflict.length > MOST_TRIED) return `${loosen}.`;
  const enough = conflict.filter(suffices);
  if (enough.length === conflict.length) return `${loosen}; every other demand can be met.`;
  if (enough.length === 0) return `${loosen}; other demands contradict each other too.`;
  const which = enough.length === 1 ? 'this one' : 'one of these';
  return `Give up or loosen ${which}, and every other demand can be met: ${enough.map((wish) => wish.text).join('; ')}.`;
}

/** The part of `wishes` that, with `background`, cannot hold; minimal. */
function explain(
  background: readonly Wish[],
  changed: boolean,
  wishes: readonly Wish[],
  holds: (kept: readonly Wish[]) => boolean,
): readonly Wish[] {
  if (changed && !holds(background)) return [];
  if (wishes.length <= 1) return wishes;
  const half = Math.ceil(wishes.length / 2);
  const [first, second] = [wishes.slice(0, half), wishes.slice(half)];
  const ofSecond = explain([...background, ...first], first.length > 0, second, holds);
  const ofFirst = explain([...background, ...ofSecond], ofSecond.length > 0, first, holds);
  return [...ofFirst, ...ofSecond];
}

/** What a request asks for, the least given up first: what stands early is kept out of the conflict if it can be. */
function wishesOf(request: PlanRequest): Wish[] {
  const { demand, tiers, minQuality, minQualityOfClass = {}, forbidden = [] } = request;
  const wishes: Wish[] = [];
  for (const tier of tiers) {
    if (tier.capacityBytes === null) continue;
    const bytes = Math.max(0, tier.capacityBytes - (tier.reservedBytes ?? 0));
    wishes.push({
      text: `${tier.name} holds ${formatBytes(bytes)}`,
      without: (rest) => ({
        ...rest,
        tiers: rest.tiers.map((other) =>
          other.name === tier.name ? { ...other, capacityBytes: null } : other,
        ),
      }),
    });
  }
  if (request.bandwidthShare !== undefined)
    wishes.push({
      text: `loads use at most ${request.bandwidthShare} of each tier's bandwidth`,
      without: ({ bandwidthShare: _, ...rest }) => rest,
    });
  if (request.moneyPerMonth !== undefined)
    wishes.push({
      text: `the stored bytes cost at most ${request.moneyPerMonth} a month`,
      without: ({ moneyPerMonth: _, ...rest }) => rest,
    });
  for (const [tier, bytes] of Object.entries(request.writtenBytesPerDay ?? {}))
    wishes.push({
      text: `at most ${formatBytes(bytes)} a day are written to ${tier}`,
      without: (rest) => ({ ...rest, writtenBytesPerDay: omit(rest.writtenBytesPerDay, tier) }),
    });
  for (const share of request.tenantShares ?? [])
    wishes.push({
      text: `tenant ${printable(share.tenant)} has at most ${share.share} of ${share.tier}`,
      without: (rest) => ({ ...rest, tenantShares: rest.tenantShares!.filter((other) => other !== share) }),
    });
  for (const name of forbidden)
    wishes.push({
      text: name === 'recompute' ? 'nothing may be recomputed' : `nothing may be stored in ${name}`,
      without: (rest) => ({ ...rest, forbidden: rest.forbidden!.filter((other) => other !== name) }),
    });
  if (minQuality !== undefined && minQuality > 0)
    wishes.push({
      text: `every context has quality ${minQuality} at least`,
      without: ({ minQuality: _, ...rest }) => rest,
    });
  for (const [name, floor] of Object.entries(minQualityOfClass))
    wishes.push({
      text: `contexts of class ${printable(name)} have quality ${floor} at least`,
      without: (rest) => ({ ...rest, minQualityOfClass: omit(rest.minQualityOfClass, name) }),
    });
  const floored =
    demand.minQuality === undefined
      ? []
      : [...demand.minQuality.keys()].filter((i) => demand.minQuality![i]! > 0);
  wishes.push(
    ...eachOrAll(
      floored,
      (i) => `context ${printable(demand.ids[i]!)} has quality ${demand.minQuality![i]} at least`,
      (count) => `the quality floors of ${count} contexts`,
      (rest, dropped) => ({
        ...rest,
        demand: {
          ...rest.demand,
          minQuality: rest.demand.minQuality!.map((floor, i) => (dropped.has(i) ? 0 : floor)),
        },
      }),
    ),
    ...eachOrAll(
      [...(demand.pins?.keys() ?? [])],
      (i) => pinText(request, i),
      (count) => `the pins of ${count} contexts`,
      (rest, dropped) => ({
        ...rest,
        demand: { ...rest.demand, pins: new Map([...rest.demand.pins!].filter(([i]) => !dropped.has(i))) },
      }),
    ),
  );
  return wishes;
}

function pinText({ demand }: PlanRequest, i: number): string {
  const { tier, method, compressionRatio } = demand.pins!.get(i)!;
  const form =
    method === undefined
      ? ''
      : ` as ${printable(method)}${compressionRatio === undefined ? '' : `@${compressionRatio}`}`;
  return `context ${printable(demand.ids[i]!)} (${formatBytes(demand.fullBytes[i]!)} whole) is pinned to ${printable(tier)}${form}`;
}

/** A wish per context, or one for all where they are many. */
function eachOrAll(
  contexts: readonly number[],
  one: (context: number) => string,
  all: (count: number) => string,
  without: (request: PlanRequest, dropped: ReadonlySet<number>) => PlanRequest,
): Wish[] {
  if (contexts.length > MOST_OF_A_KIND) {
    const dropped = new Set(contexts);
    return [{ text: all(contexts.length), without: (request) => without(request, dropped) }];
  }
  return contexts.map((i) => ({ text: one(i), without: (request) => without(request, new Set([i])) }));
}

function omit<T>(record: Readonly<Record<string, T>> | undefined, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record ?? {}).filter(([key]) => key !== name));
}
