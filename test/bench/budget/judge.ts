import { transferSeconds } from '../../../src/cost/transfer.js';
import { optionUtility } from '../../../src/cost/utility.js';
import type { MethodRow } from '../../../src/formats/methods.js';
import { UNCOMPRESSED } from '../../../src/formats/names.js';
import { fitCurves } from '../../../src/plan/curves.js';
import { demandOfContexts } from '../../../src/plan/demand-of-contexts.js';
import { planContexts } from '../../../src/plan/plan-contexts.js';
import { tier } from '../../support/instances.js';
import { PREFILL_SECONDS } from './grid-runner.js';

/** Tiers and prices under which compression matters: a whole context takes .1 s from the fast tier, 1 s from the slow. */
export function settingsOf(full: readonly MethodRow[]) {
  const sizes = new Map(full.map((row) => [row.context, row]));
  const total = [...sizes.values()].reduce((sum, row) => sum + row.fullBytes, 0);
  const mean = total / sizes.size;
  const tokens = [...sizes.values()].reduce((sum, row) => sum + row.tokens!, 0) / sizes.size;
  const model = {
    name: 'bench',
    kvBytesPerToken: mean / tokens,
    prefill: { secondsPerToken: PREFILL_SECONDS / tokens, secondsPerTokenSquared: 0 },
  };
  const demand = demandOfContexts(
    {
      header: {},
      rows: [...sizes.values()].map((row) => ({
        context: row.context,
        fullBytes: row.fullBytes,
        tokens: row.tokens!,
        accesses: 1,
        ...(row.class && { class: row.class }),
      })),
    },
    model,
    'bench',
  );
  return [0.1, 0.3].flatMap((fast) =>
    [1, 5].map((alpha) => ({
      name: `fast ${100 * fast} %, alpha ${alpha} s`,
      alpha,
      demand,
      model,
      tiers: [tier('fast', fast * total, mean / 0.1), tier('slow', 0.5 * total, mean / 1)],
    })),
  );
}

/** A context stored as it is. */
const WHOLE = { quality: 1, decompressSecondsPerByte: 0 };

/**
 * The utility of the plan made from `methods`, by the qualities, bytes and decompression times of the full grid. Where the true bytes do
 * not fit a tier, what is worth least per byte is left out of it and computed anew, as an engine would have to.
 */
export async function judge(
  full: readonly MethodRow[],
  request: Omit<ReturnType<typeof settingsOf>[0], 'name'>,
  methods: readonly MethodRow[],
): Promise<number> {
  const { demand, tiers, model, alpha } = request;
  const truth = fitCurves(full);
  const kept = new Map(tiers.map(({ name }) => [name, [] as { bytes: number; gain: number }[]]));
  let recomputed = 0;
  const { rows } = await planContexts({ demand, tiers, model, alpha, methods });
  for (const row of rows()) {
    const { context, tier: place, method, compressionRatio } = row;
    const i = demand.ids.indexOf(context);
    const anew = optionUtility(1, alpha, 1, 1, model.prefill.secondsPerToken * demand.tokens[i]!);
    recomputed += anew;
    if (place === 'recompute') continue;
    const form = truth
      .formsOf(context, undefined)
      .find((each) => each.method === method && each.compressionRatio === compressionRatio);
    if (form === undefined && method !== UNCOMPRESSED)
      throw new Error(`${context}: the full grid has no ${method}@${compressionRatio}`);
    const { read } = tiers.find((each) => each.name === place)!;
    const fullBytes = demand.fullBytes[i]!;
    const { storedBytes, quality, decompressSecondsPerByte } = form ?? { ...WHOLE, storedBytes: fullBytes };
    const ttftSeconds = transferSeconds(read, storedBytes) + decompressSecondsPerByte * fullBytes;
    const utility = optionUtility(1, alpha, 1, quality, ttftSeconds);
    kept.get(place)!.push({ bytes: storedBytes, gain: utility - anew });
  }
  let gained = 0;
  for (const { name, capacityBytes } of tiers) {
    let room = capacityBytes ?? Number.POSITIVE_INFINITY;
    for (const { bytes, gain } of kept.get(name)!.sort((a, b) => b.gain / b.bytes - a.gain / a.bytes)) {
      if (bytes > room) continue;
      room -= bytes;
      gained += gain;
    }
  }
  return recomputed + gained;
}
