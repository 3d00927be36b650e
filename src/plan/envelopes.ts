import type { Problem } from './problem.js';

/**
 * The forms worth scanning, per curve, in columns, by rising bytes: the upper concave envelope of (bytes
 * fraction, quality), or the Pareto list where decompression or a tier's table breaks the envelope. Contexts
 * that share a curve share its list.
 */
export interface ScanList {
  readonly offsets: Int32Array;
  readonly form: Int32Array;
  /**
   * Three numbers per entry, side by side because they are read together: the quality gained per fraction from
   * this entry to the next (0 at a list's end), the quality, and the bytes as a share of the context's full bytes,
   * unrounded.
   */
  readonly points: Float64Array;
  /** Every list is an envelope: the best entry is the first whose slope is not worth its price. */
  readonly concave: boolean;
}

/** What contexts look at instead of their forms. */
export interface Envelopes {
  /** Bytes fraction of every form, unrounded. */
  readonly fractions: Float64Array;
  readonly lists: ScanList;
}

/** Envelopes by forms and whether a tier is tabled: samples of a problem and later capacities, prices or rates share them. */
const known = new WeakMap<Problem['forms'], Map<boolean, Envelopes>>();

/** The envelopes of a problem's forms, made once. @param tabled a tier's time is not affine in bytes. */
export function envelopesOf(problem: Problem, tabled: boolean): Envelopes {
  const made = known.get(problem.forms) ?? new Map<boolean, Envelopes>();
  known.set(problem.forms, made);
  let envelopes = made.get(tabled);
  if (envelopes === undefined) {
    const fractions = formFractions(problem);
    envelopes = { fractions, lists: scanLists(problem, fractions, tabled) };
    made.set(tabled, envelopes);
  }
  return envelopes;
}

/** Bytes fraction of every form of every curve, unrounded. */
function formFractions({ forms, demand, curveOf }: Problem): Float64Array {
  const curves = forms.offsets.length - 1;
  const member = new Int32Array(curves).fill(-1);
  for (let i = 0; i < curveOf.length; i++) member[curveOf[i]!] = i;
  const fractions = new Float64Array(forms.storedBytes.length);
  for (let c = 0; c < curves; c++) {
    // A form that is not scaled belongs to one context's own curve.
    const full = member[c]! < 0 ? 1 : demand.fullBytes[member[c]!]!;
    for (let form = forms.offsets[c]!; form < forms.offsets[c + 1]!; form++) {
      const scale = forms.ofBytes[form]!;
      fractions[form] =
        forms.lossyOf[form]! < 0 ? 1 : forms.storedBytes[form]! / (scale === 0 ? full : scale);
    }
  }
  return fractions;
}

/** Shortens every curve to the forms that can be best at some price. */
function scanLists(problem: Problem, fractions: Float64Array, tabled: boolean): ScanList {
  const { offsets: formOffsets, quality, decompressSecondsPerByte } = problem.forms;
  const curves = formOffsets.length - 1;
  let longest = 0;
  for (let c = 0; c < curves; c++) longest = Math.max(longest, formOffsets[c + 1]! - formOffsets[c]!);
  const order = new Int32Array(longest);
  const offsets = new Int32Array(curves + 1);
  const kept = new Int32Array(fractions.length);
  let length = 0;
  let concave = !tabled;
  for (let c = 0; c < curves; c++) {
    const first = formOffsets[c]!;
    const count = formOffsets[c + 1]! - first;
    let free = true;
    for (let k = 0; k < count; k++) {
      if (decompressSecondsPerByte[first + k] !== 0) free = false;
      insertSorted(order, k, first + k, fractions, quality);
    }
    concave &&= free;
    const keep = free && !tabled ? envelope : pareto;
    length = keep(order, count, fractions, problem.forms, kept, length);
    offsets[c + 1] = length;
  }
  const form = kept.slice(0, length);
  return { offsets, form, points: listPoints(offsets, form, fractions, quality), concave };
}

function listPoints(
  offsets: Int32Array,
  form: Int32Array,
  fractions: Float64Array,
  quality: Float64Array,
): Float64Array {
  const points = new Float64Array(3 * form.length);
  for (let c = 0; c + 1 < offsets.length; c++) {
    for (let e = offsets[c]!; e < offsets[c + 1]!; e++) {
      const here = form[e]!;
      points[3 * e + 1] = quality[here]!;
      points[3 * e + 2] = fractions[here]!;
      if (e + 1 === offsets[c + 1]) continue;
      const next = form[e + 1]!;
      points[3 * e] = (quality[next]! - quality[here]!) / (fractions[next]! - fractions[here]!);
    }
  }
  return points;
}

/** Inserts a form among the first `length` of `order`: by rising fraction, then falling quality, then form. */
function insertSorted(
  order: Int32Array,
  length: number,
  form: number,
  fractions: Float64Array,
  quality: Float64Array,
): void {
  const fraction = fractions[form]!;
  let at = length;
  for (; at > 0; at--) {
    const other = order[at - 1]!;
    if (fractions[other]! < fraction || (fractions[other] === fraction && quality[other]! >= quality[form]!))
      break;
    order[at] = other;
  }
  order[at] = form;
}

/** Appends the upper concave envelope of quality over fraction to `kept`. @returns its new length. */
function envelope(
  order: Int32Array,
  count: number,
  fractions: Float64Array,
  { quality }: Problem['forms'],
  kept: Int32Array,
  start: number,
): number {
  let end = start;
  for (let k = 0; k < count; k++) {
    const form = order[k]!;
    if (end > start && quality[form]! <= quality[kept[end - 1]!]!) continue;
    while (end - start >= 2 && !bends(kept[end - 2]!, kept[end - 1]!, form, fractions, quality)) end--;
    kept[end++] = form;
  }
  return end;
}

/** Whether the way from a over b to c bends downwards at b. */
function bends(a: number, b: number, c: number, fractions: Float64Array, quality: Float64Array): boolean {
  return (
    (quality[b]! - quality[a]!) / (fractions[b]! - fractions[a]!) >
    (quality[c]! - quality[b]!) / (fractions[c]! - fractions[b]!)
  );
}

/** Appends the forms that no other one beats in bytes, quality and decompression. @returns the new length. */
function pareto(
  order: Int32Array,
  count: number,
  fractions: Float64Array,
  { quality, decompressSecondsPerByte }: Problem['forms'],
  kept: Int32Array,
  start: number,
): number {
  let end = start;
  for (let k = 0; k < count; k++) {
    const form = order[k]!;
    let beaten = false;
    // Whatever beats it takes no more bytes, so it stands before it, or has the same bytes and quality.
    for (let other = 0; other < count && !beaten; other++) {
      const rival = order[other]!;
      if (other === k || fractions[rival]! > fractions[form]!) continue;
      const same =
        fractions[rival] === fractions[form] &&
        quality[rival] === quality[form] &&
        decompressSecondsPerByte[rival] === decompressSecondsPerByte[form];
      beaten =
        quality[rival]! >= quality[form]! &&
        decompressSecondsPerByte[rival]! <= decompressSecondsPerByte[form]! &&
        (!same || other < k);
    }
    if (!beaten) kept[end++] = form;
  }
  return end;
}
