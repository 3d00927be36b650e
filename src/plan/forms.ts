import { UNCOMPRESSED } from '../formats/names.js';
import type { StoredForm } from './curves.js';

/**
 * Every stored form of every curve, in columns. Curve c's forms are `offsets[c] .. offsets[c + 1]`; the first
 * is always the uncompressed cache.
 */
export interface FormTable {
  readonly offsets: Int32Array;
  readonly storedBytes: Float64Array;
  /** Scale of storedBytes: bytes of i are ceil(fullBytes_i · storedBytes / ofBytes); 0: as they are. */
  readonly ofBytes: Float64Array;
  readonly quality: Float64Array;
  readonly decompressSecondsPerByte: Float64Array;
  /** Index into lossyNames; −1 for the uncompressed cache. */
  readonly lossyOf: Int32Array;
  /** Each distinct (method, ratio). */
  readonly lossyNames: readonly { readonly method: string; readonly compressionRatio: number }[];
}

/** Collects curves, each distinct one once. */
export class FormBuilder {
  private readonly byKey = new Map<string, number>();
  private readonly curves: StoredForm[][] = [];
  private readonly lossy = new Map<string, number>();
  private readonly lossyNames: { method: string; compressionRatio: number }[] = [];

  curve(key: string | undefined, make: () => { none: boolean; forms: readonly StoredForm[] }): number {
    const known = key === undefined ? undefined : this.byKey.get(key);
    if (known !== undefined) return known;
    const { none, forms } = make();
    this.curves.push(none ? [WHOLE, ...forms] : [...forms]);
    if (key !== undefined) this.byKey.set(key, this.curves.length - 1);
    return this.curves.length - 1;
  }

  table(): FormTable {
    const offsets = new Int32Array(this.curves.length + 1);
    this.curves.forEach((forms, c) => {
      offsets[c + 1] = offsets[c]! + forms.length;
    });
    const all = this.curves.flat();
    return {
      offsets,
      storedBytes: Float64Array.from(all, (form) => form.storedBytes),
      ofBytes: Float64Array.from(all, (form) => form.ofBytes),
      quality: Float64Array.from(all, (form) => form.quality),
      decompressSecondsPerByte: Float64Array.from(all, (form) => form.decompressSecondsPerByte),
      lossyOf: Int32Array.from(all, (form) => (form === WHOLE ? -1 : this.lossyIndex(form))),
      lossyNames: this.lossyNames,
    };
  }

  private lossyIndex({ method, compressionRatio }: StoredForm): number {
    const key = `${method}@${compressionRatio}`;
    let index = this.lossy.get(key);
    if (index === undefined) {
      index = this.lossyNames.push({ method, compressionRatio }) - 1;
      this.lossy.set(key, index);
    }
    return index;
  }
}

/** The uncompressed cache: all of the context's bytes, quality 1. */
const WHOLE: StoredForm = {
  method: UNCOMPRESSED,
  compressionRatio: 0,
  storedBytes: 1,
  ofBytes: 1,
  quality: 1,
  decompressSecondsPerByte: 0,
};
