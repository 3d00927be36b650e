import type { Named } from '../../../registry.js';

/** Where refresh is to run. */
export interface Place {
  /** The folder with evicpress.yaml, absolute. */
  readonly folder: string;
  /** How evicpress is started, absolute. */
  readonly program: string;
}

/** A way of running refresh every few minutes: one file, one line in the list of index.ts. */
export interface Schedule extends Named {
  readonly summary: string;
  text(place: Place): string;
}
