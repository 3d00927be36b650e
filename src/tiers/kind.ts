import type { Source } from '../formats/schema.js';
import type { Tier } from '../formats/tiers.js';
import type { OnProgress } from '../progress.js';

/** What `--tier NAME=KIND[:LOCATION]` asks for. */
export interface TierTarget {
  readonly name: string;
  readonly kind: string;
  readonly location?: string;
}

/** How a tier is to be measured. */
export interface MeasureSettings {
  /** Time to spend on this tier, preparation included. */
  readonly seconds: number;
  /** Object sizes in bytes; the kind's own where absent. */
  readonly sizes?: readonly number[];
  readonly streams: readonly number[];
  /** The most room that test data may take; the kind's own where absent. */
  readonly scratchBytes?: number;
  /** null: unlimited. The kind's own default where absent. */
  readonly capacityBytes?: number | null;
  /** What an earlier run found for this tier: this run is what it should have predicted. */
  readonly earlier?: Tier;
  /** Order of the measurements: sizes and streams are shuffled with it. */
  readonly seed: number;
  /** Aborted on Ctrl-C: stop, leave nothing behind. */
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** A place of this kind that exists here, as `evicpress init` offers it. */
export interface FoundTier {
  readonly target: TierTarget;
  /** In a few words: what it is and how large. */
  readonly note: string;
}

/** A kind of tier: where such tiers are found on this machine, and how one is measured. */
export interface TierKind {
  readonly name: string;
  /** For help and messages: what the location means. */
  readonly summary: string;
  /** What can be found without measuring; empty where there is none. */
  detect(folder: string): Promise<FoundTier[]>;
  /**
   * What can be told at once, before minutes go into the tiers named before it: whether the place is there and lets
   * itself be written.
   * @throws EvicpressError in one clear line.
   */
  check?(target: TierTarget, settings: MeasureSettings): Promise<void>;
  /** @throws EvicpressError in one clear line; nothing is left behind then either. */
  measure(target: TierTarget, settings: MeasureSettings): Promise<Tier>;
}

/**
 * A kind of thing that is no tier to place caches on but belongs in the profile beside them: the link to a GPU,
 * the speed at which an engine prefills.
 */
export interface BesideKind extends Omit<TierKind, 'measure'> {
  /** The field of the profile that holds what is measured. */
  readonly field: 'links' | 'engines';
  measure(target: TierTarget, settings: MeasureSettings): Promise<BesideFigures>;
}

/** What was measured, and how to say it in one line. */
export interface BesideFigures {
  readonly name: string;
  readonly kind: string;
  readonly summary: string;
  readonly source: Source;
  readonly [field: string]: unknown;
}

export type Direction = 'read' | 'write';

/** Several transfers under way at once: `streams` objects of `bytes` each, again and again for about `seconds`. */
export interface Wave {
  readonly direction: Direction;
  readonly bytes: number;
  readonly streams: number;
  readonly seconds: number;
}

/** Why a measurement is to be believed less. */
export interface Remark {
  readonly level: 'noisy' | 'bad';
  readonly text: string;
}

/** An opened tier that can move objects: what differs between kinds, under the one way of measuring. */
export interface Device {
  readonly location?: string;
  /** The program or library that moved the bytes, with its version where it has one. */
  readonly tool: string;
  readonly scope: 'rank' | 'node' | 'cluster';
  /** Default capacity, and the rule it comes from. null: unlimited. */
  readonly capacityBytes: number | null;
  readonly capacityRule: string;
  readonly sizes: readonly number[];
  /** The most that `bytes · streams` of a wave may be. */
  readonly largestWaveBytes: number;
  /** In the order of measuring; one direction where moving data is the same either way. */
  readonly directions: readonly Direction[];
  /** Seconds that the threads which pace the transfers have waited for a processor so far. */
  waitSeconds(): number;
  readonly remarks: readonly Remark[];
  /** Facts for the file: device, file system. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Seconds of each wave, from the first transfer's start to the last one's end; at least one. */
  run(wave: Wave): Promise<number[]>;
  /** A second opinion by another program, taken last; absent where there is none. */
  readonly confirm?: {
    /** What it takes, out of the measuring time. */
    readonly seconds: number;
    run(): Promise<SecondOpinion>;
  };
  /** Removes all test data. Safe to call twice. */
  close(): Promise<void>;
}

/** What another program says of a device. */
export interface SecondOpinion {
  readonly remarks: readonly Remark[];
  /** Facts for the file. */
  readonly details: Readonly<Record<string, unknown>>;
}
