import { EvicpressError, errors } from '../errors.js';
import type { Demand } from './demand.js';
import type { ProblemTier } from './problem-tiers.js';

/** Limits and charges beyond each tier's capacity and bandwidth. */
export interface Budgets {
  /** At most this share of a tier's capacity for a tenant, tenants and tiers by index. */
  readonly tenantShares: readonly {
    readonly tenant: number;
    readonly tier: number;
    readonly share: number;
  }[];
  /** Bytes that may be written in a period, by tier; Infinity for no budget. */
  readonly writtenBytes: Float64Array;
  /** Money the plan may cost in a month; Infinity for no budget. */
  readonly moneyPerMonth: number;
  /** Utility that a stored byte is charged in the period, by tier: its money times what money is worth. */
  readonly charge: Float64Array;
}

/** What the user may ask for, by name. */
export interface BudgetOptions {
  readonly tenantShares?: readonly {
    readonly tenant: string;
    readonly tier: string;
    readonly share: number;
  }[];
  /** Bytes that may be written to a tier in a day, by tier. */
  readonly writtenBytesPerDay?: Readonly<Record<string, number>>;
  readonly moneyPerMonth?: number;
  /** Seconds of TTFT that a unit of money is worth. */
  readonly secondsPerMoney?: number;
}

const SECONDS_PER_DAY = 86_400;
const SECONDS_PER_MONTH = (365.25 / 12) * SECONDS_PER_DAY;

/**
 * The budgets of a problem; undefined where nothing is asked for.
 * @throws EvicpressError for unknown tiers or tenants, and where a price or the period is missing.
 */
export function readBudgets(
  demand: Demand,
  tiers: readonly ProblemTier[],
  options: BudgetOptions,
): Budgets | undefined {
  const { tenantShares = [], writtenBytesPerDay = {}, moneyPerMonth, secondsPerMoney } = options;
  const priced = moneyPerMonth !== undefined || secondsPerMoney !== undefined;
  if (tenantShares.length === 0 && Object.keys(writtenBytesPerDay).length === 0 && !priced) return undefined;
  if (priced && tiers.every((tier) => tier.moneyPerByte === 0))
    throw errors.missingInput(
      'price of a tier',
      'A budget of money needs what a GB costs in a month: --price ssd=0.08, or pricePerGbMonth in the tier profile.',
    );
  const names = tiers.map((tier) => tier.name);
  const writtenBytes = new Float64Array(tiers.length).fill(Number.POSITIVE_INFINITY);
  for (const [name, bytes] of Object.entries(writtenBytesPerDay))
    writtenBytes[indexIn(names, 'tier', name)] =
      (bytes * periodOf(demand, 'A write budget')) / SECONDS_PER_DAY;
  return {
    tenantShares: tenantShares.map(({ tenant, tier, share }) => ({
      tenant: indexIn(demand.tenants, 'tenant', tenant),
      tier: indexIn(names, 'tier', tier),
      share,
    })),
    writtenBytes,
    moneyPerMonth: moneyPerMonth ?? Number.POSITIVE_INFINITY,
    charge: Float64Array.from(tiers, ({ moneyPerByte }) =>
      secondsPerMoney === undefined
        ? 0
        : (moneyPerByte * secondsPerMoney * periodOf(demand, 'The worth of money')) / SECONDS_PER_MONTH,
    ),
  };
}

function indexIn(names: readonly string[], kind: string, name: string): number {
  const index = names.indexOf(name);
  if (index >= 0) return index;
  if (names.length === 0)
    throw new EvicpressError(`A ${kind} "${name}" is named, but no context has a ${kind}.`);
  throw errors.unknownName(kind, name, names.slice(0, 20));
}

/** The period of a demand. @param what needs it, for the message. @throws EvicpressError where it is not known. */
export function periodOf({ periodSeconds }: Demand, what: string): number {
  if (periodSeconds !== null) return periodSeconds;
  throw errors.missingInput(
    'planning period',
    `${what} needs it: write periodSeconds into the header of the contexts file.`,
  );
}
