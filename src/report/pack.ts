import { gzipSync } from 'node:zlib';
import { segmentLoadSeconds } from '../cost/transfer.js';
import type { Transfer } from '../formats/tiers.js';
import type { Evidence, PlanEvidence } from './evidence.js';
import type { PageData, PageTier, PlacementData } from './page-data.js';

/** A report for 100,000 contexts stays under 2 MB; this is what its data may take, compressed, as base64. */
const DATA_CHARACTERS = 1_450_000;
/** Digits kept of bytes, accesses and seconds: more than anyone reads off a page. */
const DIGITS = 4;

/** What the page holds, and how many of the plan's contexts are in its table. */
export interface Packed {
  readonly base64: string;
  readonly rows: number;
}

/**
 * Charts and placements as compressed JSON. Where all contexts do not fit, those with the most accesses stay.
 */
export function packData(evidence: Evidence, charts: PageData['charts']): Packed {
  const { plan } = evidence;
  if (plan === undefined) return { base64: compress({ charts }), rows: 0 };
  const total = plan.placements.contexts.length;
  const byAccesses = Array.from({ length: total }, (_, i) => i).sort(
    (a, b) => plan.placements.accesses[b]! - plan.placements.accesses[a]! || a - b,
  );
  let rows = total;
  for (;;) {
    const chosen = rows === total ? byAccesses : byAccesses.slice(0, rows);
    const placements = placementData(
      evidence,
      plan,
      [...chosen].sort((a, b) => a - b),
    );
    const base64 = compress({ charts, placements });
    if (base64.length <= DATA_CHARACTERS || rows <= 1) return { base64, rows };
    rows = Math.floor(rows * Math.min(0.95, (0.97 * DATA_CHARACTERS) / base64.length));
  }
}

function compress(data: PageData): string {
  return gzipSync(JSON.stringify(data), { level: 9 }).toString('base64');
}

function placementData(
  evidence: Evidence,
  { header, placements }: PlanEvidence,
  rows: number[],
): PlacementData {
  const tiers = header.tiers.map((tier): PageTier => {
    const read = evidence.tiers?.tiers.find((entry) => entry.name === tier.name)?.read;
    return {
      name: tier.name,
      price: tier.price,
      capacityBytes: tier.capacityBytes,
      ...(read === undefined ? {} : { read: lawOf(read) }),
    };
  });
  const position = new Map(rows.map((row, i) => [row, i]));
  const forms: [number, number][] = [];
  const formOf = new Map<string, number>();
  const form = rows.map((i) => {
    const bytes = placements.storedBytes[i]!;
    const pair: [number, number] = [
      rounded(placements.quality[i]!),
      bytes === 0 ? 0 : rounded(placements.decompressSeconds[i]! / bytes),
    ];
    const key = pair.join(' ');
    const known = formOf.get(key);
    if (known !== undefined) return known;
    formOf.set(key, forms.length);
    return forms.push(pair) - 1;
  });
  const storedBytes = rows.map((i) => rounded(placements.storedBytes[i]!));
  const requestShare = rows.map((i) => rounded(placements.requestShare[i]!));
  return {
    alpha: header.objective.alpha,
    tiers,
    ...(evidence.model === undefined
      ? {}
      : {
          model: {
            kvBytesPerToken: evidence.model.kvBytesPerToken,
            prefill: {
              secondsPerToken: evidence.model.prefill.secondsPerToken,
              secondsPerTokenSquared: evidence.model.prefill.secondsPerTokenSquared,
            },
          },
        }),
    groups: placements.groups,
    forms,
    total: placements.contexts.length,
    contexts: rows.map((i) => placements.contexts[i]!.replaceAll('\n', ' ')).join('\n'),
    parentUp: rows.map((i, at) => {
      const parent = position.get(placements.parents[i]!);
      return parent === undefined ? 0 : at - parent;
    }),
    group: rows.map((i) => placements.group[i]!),
    form,
    storedBytes,
    accesses: rows.map((i) => rounded(placements.accesses[i]!)),
    requestShare,
    ttftSeconds: rows.map((i, at) => {
      const { tier } = placements.groups[placements.group[i]!]!;
      const read = tiers.find((entry) => entry.name === tier)?.read;
      const ttft = placements.ttftSeconds[i]!;
      if (read === undefined) return rounded(ttft);
      const derived =
        segmentLoadSeconds(read, storedBytes[at]!, requestShare[at]!) +
        forms[form[at]!]![1] * storedBytes[at]!;
      return Math.abs(derived - ttft) <= 2e-3 * ttft ? 0 : rounded(ttft);
    }),
  };
}

/** The law of a read without its words. */
function lawOf({ latencySeconds, bytesPerSecond, table }: Transfer): Transfer {
  return { latencySeconds, bytesPerSecond, ...(table === undefined ? {} : { table }) };
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}
