import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PROFILES_FOLDER, RESULTS_FOLDER } from '../formats/bundled.js';
import type { Config } from '../formats/config.js';
import { inputPath } from '../formats/files.js';
import type { Tier } from '../formats/tiers.js';
import { type InputFlags, type Inputs, loadInputs } from './inputs.js';

/** What a replay takes where nobody measured or named anything; it is printed with the result. */
const DEFAULT_TIERS = 'h100-host';
const DEFAULT_MODEL = 'llama-3.1-8b';

/** The logs that are asked for, else the configured one, else the bundled excerpt. */
export function logPaths(
  named: readonly string[],
  config: Config,
): { paths: readonly string[]; bundled: boolean } {
  if (named.length > 0) return { paths: named.map(inputPath), bundled: false };
  if (config.trace !== undefined) return { paths: [config.trace], bundled: false };
  return {
    paths: [join(PROFILES_FOLDER, 'traces', 'mooncake-conversation-1500.jsonl.gz')],
    bundled: true,
  };
}

/**
 * Tiers, model and methods as for planning; bundled references where neither flags nor evicpress.yaml nor
 * earlier results say.
 * @param blockTokens tokens of a block of the log, for capacities in blocks; 0 where it has none.
 */
export function replayInputs(flags: InputFlags, config: Config, blockTokens: number): Promise<Inputs> {
  const measured = existsSync(join(RESULTS_FOLDER, 'tiers.json'));
  const tiers = flags.tiers ?? config.tiers ?? (measured ? undefined : DEFAULT_TIERS);
  return loadInputs(
    {
      ...flags,
      ...(tiers !== undefined && { tiers }),
      model: flags.model ?? config.model ?? DEFAULT_MODEL,
    },
    blockTokens > 0 ? (model) => blockTokens * model.kvBytesPerToken : undefined,
  );
}

/** Where the figures come from, in words. */
export function describeInputs(inputs: Inputs): string {
  const origins = (tiers: readonly Tier[]) =>
    [...new Set(tiers.map((tier) => tier.source ?? 'assumed'))].join(' and ');
  const methods =
    inputs.methods.rows.length === 0
      ? 'no compression'
      : `${inputs.methods.rows.length} rows of method profile${inputs.methodsAssumed ? ' (assumed: of another model)' : ''}`;
  return `tiers ${origins(inputs.tiers)}, model ${inputs.model.name} (${inputs.model.source ?? 'assumed'}), ${methods}`;
}
