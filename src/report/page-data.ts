import type { Model } from '../formats/model.js';
import type { Transfer } from '../formats/tiers.js';
import type { Spec } from './figure.js';
import type { StoredGroup } from './placements.js';

/** What the page's script gets, as JSON. Columns are as long as there are rows. */
export interface PageData {
  readonly charts: readonly { readonly id: string; readonly spec: Spec }[];
  readonly placements?: PlacementData;
}

export interface PlacementData {
  readonly alpha: number;
  readonly tiers: readonly PageTier[];
  /** Absent where the plan's model is not known: then computing anew is not compared. */
  readonly model?: Pick<Model, 'kvBytesPerToken' | 'prefill'>;
  readonly groups: readonly StoredGroup[];
  /** Distinct pairs of quality and decompression seconds per stored byte. */
  readonly forms: readonly (readonly [quality: number, decompressSecondsPerByte: number])[];
  /** Contexts in the plan; the page may hold fewer rows. */
  readonly total: number;
  /** Joined by line feeds; an id's own line feeds are spaces. */
  readonly contexts: string;
  /** How many rows up the parent is; 0 without one on the page. */
  readonly parentUp: readonly number[];
  readonly group: readonly number[];
  readonly form: readonly number[];
  /** Four significant digits, as are the others below. */
  readonly storedBytes: readonly number[];
  readonly accesses: readonly number[];
  readonly requestShare: readonly number[];
  /** Only where it does not follow from tier, bytes and share; 0 elsewhere. */
  readonly ttftSeconds: readonly number[];
}

export interface PageTier {
  readonly name: string;
  readonly price: number;
  readonly capacityBytes: number | null;
  /** Absent where the profile the plan was made from is not at hand. */
  readonly read?: Transfer;
}
