import { isotonicQuality, lowerQuality } from '../cost/quality.js';
import type { MethodRow } from '../formats/methods.js';
import { ANY_CONTEXT, UNCOMPRESSED } from '../formats/names.js';

/** One way to store a context: a method at a ratio, with the quality its curve gives it. */
export interface StoredForm {
  readonly method: string;
  readonly compressionRatio: number;
  /** Bytes it takes of a context of `ofBytes`; for rows of the context itself `ofBytes` is 0: take them as they are. */
  readonly storedBytes: number;
  readonly ofBytes: number;
  readonly quality: number;
  /** Decompression seconds per uncompressed byte. */
  readonly decompressSecondsPerByte: number;
}

export interface CurveOptions {
  /** Plan on the lower end of a one-sided interval with this confidence; .5 or less is the mean. */
  readonly confidence?: number;
  /** Offer only these methods. */
  readonly methods?: (method: string) => boolean;
}

/** Looks up the lossy forms a context is offered. */
export interface CurveBook {
  /** Whether the context has rows of its own. */
  hasOwn(context: string): boolean;
  /** The lossy forms of a context: per method its own rows, else its class's, else everybody's. */
  formsOf(context: string, contextClass: string | undefined): readonly StoredForm[];
  readonly methods: readonly string[];
}

/**
 * Fits the curves of a method profile: per context (or class, or everybody) and method a weighted isotonic
 * regression of quality over stored bytes.
 */
export function fitCurves(
  rows: readonly MethodRow[],
  { confidence = 0.5, methods = () => true }: CurveOptions = {},
): CurveBook {
  const own = new Map<string, Map<string, MethodRow[]>>();
  const byClass = new Map<string, Map<string, MethodRow[]>>();
  const everybody = new Map<string, MethodRow[]>();
  const names = new Set<string>();
  for (const row of rows) {
    if (row.method === UNCOMPRESSED || !methods(row.method)) continue;
    names.add(row.method);
    if (row.context !== ANY_CONTEXT) push(nested(own, row.context), row);
    else if (row.class !== undefined) push(nested(byClass, row.class), row);
    else push(everybody, row);
  }
  const sorted = [...names].sort();
  const fit = (group: readonly MethodRow[], scaled: boolean) => fitOne(group, scaled, confidence);
  const pooled = new Map<string, readonly StoredForm[]>();
  const pooledForms = (contextClass: string | undefined, method: string): readonly StoredForm[] => {
    const classRows = contextClass === undefined ? undefined : byClass.get(contextClass)?.get(method);
    const key = JSON.stringify([classRows === undefined ? null : contextClass, method]);
    let forms = pooled.get(key);
    if (forms === undefined) {
      const group = classRows ?? everybody.get(method);
      forms = group === undefined ? [] : fit(group, true);
      pooled.set(key, forms);
    }
    return forms;
  };
  return {
    methods: sorted,
    hasOwn: (context) => own.has(context),
    formsOf(context, contextClass) {
      const mine = own.get(context);
      return sorted.flatMap((method) => {
        const group = mine?.get(method);
        return group === undefined ? pooledForms(contextClass, method) : fit(group, false);
      });
    },
  };
}

/** Fits one method's curve. Points of pooled rows are compared by the fraction they store. */
function fitOne(group: readonly MethodRow[], scaled: boolean, confidence: number): StoredForm[] {
  const fitted = isotonicQuality(
    group.map((row) => ({
      storedBytes: scaled ? row.storedBytes / row.fullBytes : row.storedBytes,
      quality: lowerQuality(row.quality, row.qualityStdError ?? 0, confidence),
      weight: row.queries ?? 1,
    })),
  );
  return group.map((row, i) => ({
    method: row.method,
    compressionRatio: row.compressionRatio,
    storedBytes: row.storedBytes,
    ofBytes: scaled ? row.fullBytes : 0,
    quality: fitted[i]!,
    decompressSecondsPerByte: (row.decompressSeconds ?? 0) / row.fullBytes,
  }));
}

function nested<K, V>(map: Map<K, Map<string, V>>, key: K): Map<string, V> {
  let inner = map.get(key);
  if (inner === undefined) {
    inner = new Map();
    map.set(key, inner);
  }
  return inner;
}

function push(map: Map<string, MethodRow[]>, row: MethodRow): void {
  const list = map.get(row.method);
  if (list === undefined) map.set(row.method, [row]);
  else list.push(row);
}
