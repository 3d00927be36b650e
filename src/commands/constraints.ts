import type { Command } from 'commander';
import { EvicpressError, naming, printable } from '../errors.js';
import type { Config } from '../formats/config.js';
import { parseShare, RANGES } from '../formats/option-values.js';
import type { Constraints } from '../plan/constraints.js';
import { parseBytes, parseNumber, parseSeconds } from '../units.js';
import { collect } from './options.js';

/** The flags that say what a plan must keep to, beyond capacities. */
export interface ConstraintFlags {
  readonly minQuality?: string | readonly string[];
  readonly bandwidthShare?: string;
  readonly forbid?: readonly string[];
  readonly tenantShare?: readonly string[];
  readonly writeBudget?: readonly string[];
  readonly maxMoney?: string;
  readonly moneyWeight?: string;
}

/** Those of them that name tiers; prices belong to the tiers themselves. */
export const CONSTRAINED_TIERS = ['forbid', 'tenantShare', 'writeBudget'] as const;

/** Adds these flags to a command. */
export function addConstraintOptions(command: Command): Command {
  return command
    .option(
      '--min-quality <q>',
      'quality floor for every context, or CLASS=Q for one class; repeat for more',
      collect,
    )
    .option('--bandwidth-share <share>', "share of each tier's bandwidth that loads may use")
    .option('--forbid <tier>', 'a tier no context may use, or recompute; repeat for more', collect)
    .option(
      '--tenant-share <tenant:tier=share>',
      "at most this share of a tier for a tenant's contexts, e.g. acme:dram=40%; repeat for more",
      collect,
    )
    .option(
      '--write-budget <tier=size>',
      'bytes a day that plans may write to a tier, e.g. ssd=2TB; repeat for more',
      collect,
    )
    .option('--price <tier=money>', 'what a GB of a tier costs in a month; repeat for more', collect)
    .option('--max-money <money>', 'what the stored bytes may cost in a month')
    .option('--money-weight <time>', 'seconds of TTFT that a unit of money is worth, e.g. 200s');
}

/**
 * What a plan must keep to; flags over evicpress.yaml.
 * @throws EvicpressError naming the flag that cannot be read.
 */
export function readConstraints(flags: ConstraintFlags, config: Config): Constraints {
  const bandwidthShare = flags.bandwidthShare ?? config.bandwidthShare;
  const maxMoney = flags.maxMoney ?? config.maxMoney;
  const moneyWeight = flags.moneyWeight ?? config.moneyWeight;
  return {
    ...readFloors(floorsOf(flags.minQuality), config),
    ...(bandwidthShare === undefined
      ? {}
      : { bandwidthShare: parseNumber(bandwidthShare, '--bandwidth-share', RANGES.bandwidthShare) }),
    forbidden: flags.forbid ?? config.forbid ?? [],
    tenantShares: Object.entries({
      ...config.tenantShare,
      ...readPairs(flags.tenantShare ?? [], '--tenant-share', 'TENANT:TIER=SHARE', 'acme:dram=40%'),
    }).map(([who, share]) => readShare(who, share)),
    writtenBytesPerDay: Object.fromEntries(
      Object.entries({
        ...config.writeBudget,
        ...readPairs(flags.writeBudget ?? [], '--write-budget', 'TIER=SIZE', 'ssd=2TB'),
      }).map(([tier, size]) => [tier, readBudget(tier, size)]),
    ),
    ...(maxMoney === undefined ? {} : { moneyPerMonth: positive(Number(maxMoney), maxMoney, '--max-money') }),
    ...(moneyWeight === undefined
      ? {}
      : {
          secondsPerMoney: positive(
            naming('--money-weight', () => parseSeconds(moneyWeight)),
            moneyWeight,
            '--money-weight',
          ),
        }),
  };
}

/** Reads repeatable `NAME=VALUE` flags; the last `=` divides. @throws EvicpressError showing the form. */
export function readPairs(
  flags: readonly string[],
  name: string,
  form: string,
  example: string,
): Record<string, string> {
  const pairs: Record<string, string> = Object.create(null);
  for (const flag of flags) {
    const at = flag.lastIndexOf('=');
    if (at <= 0)
      throw new EvicpressError(`${name}: "${printable(flag)}" is not ${form}. Write it like ${example}.`);
    pairs[flag.slice(0, at)] = flag.slice(at + 1);
  }
  return pairs;
}

function floorsOf(given: ConstraintFlags['minQuality']): readonly string[] {
  return given === undefined ? [] : typeof given === 'string' ? [given] : given;
}

/** Floors for all (`0.9`) and by class (`chat=0.95`). */
function readFloors(
  flags: readonly string[],
  config: Config,
): Pick<Constraints, 'minQuality' | 'minQualityOfClass'> {
  const floor = (text: string) => parseNumber(text, '--min-quality', RANGES.minQuality);
  const all = flags.filter((flag) => !flag.includes('=')).at(-1) ?? config.minQuality;
  const classes = {
    ...config.minQualityOfClass,
    ...readPairs(
      flags.filter((flag) => flag.includes('=')),
      '--min-quality',
      'CLASS=Q',
      'chat=0.95',
    ),
  };
  return {
    ...(all === undefined ? {} : { minQuality: floor(all) }),
    ...(Object.keys(classes).length === 0
      ? {}
      : {
          minQualityOfClass: Object.fromEntries(
            Object.entries(classes).map(([name, text]) => [name, floor(text)]),
          ),
        }),
  };
}

function readShare(who: string, text: string): { tenant: string; tier: string; share: number } {
  const at = who.lastIndexOf(':');
  if (at <= 0)
    throw new EvicpressError(
      `--tenant-share: "${printable(who)}" is not TENANT:TIER. Write it like acme:dram=40%.`,
    );
  const share = parseShare(text, `--tenant-share ${printable(who)}`);
  return { tenant: who.slice(0, at), tier: who.slice(at + 1), share };
}

function readBudget(tier: string, size: string): number {
  const bytes = naming(`--write-budget ${printable(tier)}`, () => parseBytes(size));
  if (bytes > 0) return bytes;
  throw new EvicpressError(
    `--write-budget ${printable(tier)}=0 allows no write at all. Forbid the tier instead: --forbid ${printable(tier)}.`,
  );
}

function positive(value: number, text: string, flag: string): number {
  if (value > 0 && Number.isFinite(value)) return value;
  throw new EvicpressError(`${flag}: "${printable(text)}" is not a number above 0.`);
}
