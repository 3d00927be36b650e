import { coverageOf } from '../engines/carried-out.js';
import { engineTokenizer, keysOfContexts, keysOfSegments } from '../engines/context-keys.js';
import { engines } from '../engines/index.js';
import { placesOfGroups } from '../engines/places.js';
import { readContexts } from '../formats/contexts.js';
import type { PlacementGroup } from '../formats/placement-groups.js';
import type { Placement, PlanHeader } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import type { Demand } from '../plan/demand.js';
import type { PlannedContexts } from '../plan/plan-contexts.js';
import type { SegmentDemand } from '../traces/segments.js';
import { formatShare, parseCount, significant } from '../units.js';
import type { DemandSource } from './demand.js';

export interface EngineFlags {
  readonly engine?: string;
  readonly tokenize?: string;
  readonly tokenizeModel?: string;
  readonly chunkTokens?: string;
}

/** The commander options of `plan` that have to do with the engine. */
export const ENGINE_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--engine <name>', `offer only what this engine can carry out: ${engines.map((e) => e.name).join(', ')}`],
  ['--tokenize <url>', 'engine that turns the texts of contexts into token ids, for its keys in the plan'],
  ['--tokenize-model <name>', 'the name the engine serves the model under (default: the --model)'],
  ['--chunk-tokens <n>', "tokens per chunk of the engine's keys (default: 256)"],
];

/**
 * Adds the engine's keys to a plan's rows where they are known: from a log in the engine's keys, or from a
 * contexts file with `keys`, `tokenIds`, or texts and an engine that tokenizes them.
 * @throws EvicpressError where the engine cannot be asked.
 */
export async function withEngineKeys(
  rows: () => Iterable<Placement>,
  source: DemandSource,
  demand: Demand,
  flags: EngineFlags,
  model: string,
): Promise<() => Iterable<Placement>> {
  if (source.kind === 'trace') {
    const keys =
      'segmentOfBlock' in demand ? keysOfSegments(source.trace, demand as SegmentDemand) : undefined;
    if (keys === undefined) return rows;
    return function* () {
      let i = 0;
      for (const row of rows()) yield { ...row, keys: keys[i++]! };
    };
  }
  // Only an engine reads keys: without one a million contexts are not read a second time.
  if (flags.engine === undefined && flags.tokenize === undefined) return rows;
  const { rows: contexts } = await readContexts(source.path, 'planning');
  const keys = await keysOfContexts(contexts, {
    ...(flags.chunkTokens === undefined
      ? {}
      : { chunkTokens: parseCount(flags.chunkTokens, '--chunk-tokens') }),
    ...(flags.tokenize === undefined
      ? {}
      : { tokenize: engineTokenizer(flags.tokenize, flags.tokenizeModel ?? model) }),
  });
  if (keys.size === 0) return rows;
  return function* () {
    for (const row of rows()) {
      const own = keys.get(row.context);
      yield own === undefined ? row : { ...row, keys: own };
    }
  };
}

/** What the restriction to an engine costs: the better plan's utility less this one's, in a sentence. */
export function costOfEngine(engine: string, restricted: PlannedContexts, free: PlannedContexts): string {
  const lost = Math.max(0, free.header.summary.utility - restricted.header.summary.utility);
  return `What ${engine} cannot carry out would be worth ${significant(lost)} s of utility per period more.`;
}

/** Which engines could carry out how much of a plan, in a sentence. */
export function enginesText(
  header: PlanHeader,
  groups: Iterable<PlacementGroup>,
  tiers: readonly Tier[],
): string {
  const places = placesOfGroups(header, groups);
  const shares = engines.map((target) => {
    const { shareOfAccesses } = coverageOf(header, places, target, tiers);
    return `${target.name} ${formatShare(shareOfAccesses)}${target.capabilities.perContext ? '' : ' (sizes only)'}`;
  });
  return `Tiers and methods that engines have, by share of accesses: ${shares.join(', ')}.`;
}
