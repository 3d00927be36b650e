import { kvBytes } from '../cost/prefill.js';
import { errors, printable } from '../errors.js';
import type { ContextRow, ContextsFile } from '../formats/contexts.js';
import type { Demand } from '../formats/demand.js';
import type { Model } from '../formats/model.js';

/**
 * The demand a contexts file states, parents before their children. A size in bytes alone is turned into
 * tokens by the model, and the other way round.
 * @param path for messages.
 * @throws EvicpressError where parents form a circle.
 */
export function demandOfContexts(file: ContextsFile, model: Model, path: string): Demand {
  const nested = file.rows.some((row) => row.parent !== undefined);
  const rows = nested ? parentsFirst(file.rows, path) : file.rows;
  const rowOf = new Map(nested ? rows.map((row, i) => [row.context, i]) : []);
  const classes = new Dictionary();
  const tenants = new Dictionary();
  const n = rows.length;
  const tokens = new Float64Array(n);
  const startTokens = new Float64Array(n);
  const fullBytes = new Float64Array(n);
  const accesses = new Float64Array(n);
  const requestShare = new Float64Array(n);
  const parents = new Int32Array(n).fill(-1);
  const classOf = new Int32Array(n);
  const tenantOf = new Int32Array(n);
  const ids = new Array<string>(n);
  const pins = new Map<number, { tier: string; method?: string; compressionRatio?: number }>();
  let floors: Float64Array | undefined;
  // Column by column `Float64Array.from` would take several times as long.
  for (let i = 0; i < n; i++) {
    const row = rows[i]!;
    ids[i] = row.context;
    tokens[i] =
      row.tokens ?? Math.max(1, (row.fullBytes! - (model.kvFixedBytes ?? 0)) / model.kvBytesPerToken);
    fullBytes[i] = row.fullBytes ?? kvBytes(model, tokens[i]!);
    accesses[i] = row.accesses!;
    requestShare[i] = row.requestShare ?? 1;
    classOf[i] = classes.index(row.class);
    tenantOf[i] = tenants.index(row.tenant);
    if (row.parent !== undefined) parents[i] = rowOf.get(row.parent)!;
    const parent = parents[i]!;
    startTokens[i] = row.startTokens ?? (parent < 0 ? 0 : startTokens[parent]! + tokens[parent]!);
    if (row.pin !== undefined) pins.set(i, row.pin);
    if (row.minQuality !== undefined) {
      floors ??= new Float64Array(n);
      floors[i] = row.minQuality;
    }
  }
  return {
    contexts: n,
    ids,
    tokens,
    startTokens,
    fullBytes,
    accesses,
    requestShare,
    parents,
    classOf,
    classes: classes.names,
    tenantOf,
    tenants: tenants.names,
    ...(floors === undefined ? {} : { minQuality: floors }),
    ...(pins.size > 0 ? { pins } : {}),
    periodSeconds: file.header.periodSeconds ?? null,
  };
}

/** The rows as they are where all parents come first; else reordered so. */
function parentsFirst(rows: readonly ContextRow[], path: string): readonly ContextRow[] {
  const placed = new Set<string>();
  const waiting = new Map<string, ContextRow[]>();
  const sorted: ContextRow[] = [];
  for (const row of rows) {
    if (row.parent !== undefined && !placed.has(row.parent)) {
      const list = waiting.get(row.parent);
      if (list === undefined) waiting.set(row.parent, [row]);
      else list.push(row);
      continue;
    }
    const ready = [row];
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      sorted.push(next);
      placed.add(next.context);
      ready.push(...(waiting.get(next.context)?.reverse() ?? []));
      waiting.delete(next.context);
    }
  }
  if (sorted.length < rows.length) {
    const stuck = rows.find((row) => !placed.has(row.context))!;
    throw errors.badFile(
      path,
      undefined,
      `the parents of context "${printable(stuck.context)}" form a circle; a context cannot be its own ancestor.`,
    );
  }
  return sorted;
}

/** Names to dense numbers, in order of first appearance. */
class Dictionary {
  readonly names: string[] = [];
  private readonly indexOf = new Map<string, number>();

  /** The name's number; −1 where there is none. */
  index(name: string | undefined): number {
    if (name === undefined) return -1;
    let index = this.indexOf.get(name);
    if (index === undefined) {
      index = this.names.push(name) - 1;
      this.indexOf.set(name, index);
    }
    return index;
  }
}
