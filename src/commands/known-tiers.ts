import { EvicpressError, printable } from '../errors.js';
import type { Config } from '../formats/config.js';
import { refuseUnknownTiers, type TierKey, tierFaults } from '../workflows/config-names.js';
import { flagName } from './options.js';

/**
 * Refuses names of tiers that the tier profile does not have, in flags (or a verb's section of evicpress.yaml, which
 * fills them) and at the top level of evicpress.yaml.
 * @param keys the options that are asked about.
 * @param tiers the names there are.
 * @param section of a verb that reads its section itself.
 * @throws EvicpressError naming the flag, by which its place in evicpress.yaml is found, or that place.
 */
export async function expectKnownTiers(
  keys: readonly TierKey[],
  flags: Partial<Readonly<Record<TierKey, readonly string[]>>>,
  config: Config,
  tiers: readonly string[],
  section?: string,
): Promise<void> {
  for (const key of keys)
    for (const given of flags[key] ?? []) {
      const [wrong] = tierFaults({ [key]: given }, tiers);
      const name = key === 'forbid' ? '' : ` ${printable(given.replace(/=[^=]*$/, ''))}`;
      if (wrong !== undefined) throw new EvicpressError(`${flagName(key)}${name}: ${wrong.what}`);
    }
  // Of what is forbidden flags say all; the rest they add to.
  const shared = keys.filter((key) => key !== 'forbid' || flags.forbid === undefined);
  await refuseUnknownTiers(config, shared, tiers, section);
}
