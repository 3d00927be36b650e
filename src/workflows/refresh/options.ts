import type { ServedModel } from '../../engines/served.js';
import type { MethodRow } from '../../formats/methods.js';
import type { Model } from '../../formats/model.js';
import type { Tier } from '../../formats/tiers.js';
import type { Constraints } from '../../plan/constraints.js';
import type { DriftThresholds } from './drift/check.js';
import type { WindowLimits } from './window.js';

/** What a turn is to do, all of it from flags and evicpress.yaml. */
export interface TurnOptions {
  /** Where state, journal, generations and the plan in force lie. */
  readonly folder: string;
  readonly log: string;
  readonly format?: string;
  readonly blockTokens?: number;
  /** After so long a reuse counts half. */
  readonly halfLifeSeconds: number;
  /** The period that a plan's rates are stated for. */
  readonly periodSeconds: number;
  readonly window: WindowLimits;
  readonly alpha: number;
  /** Solve for alpha, so that the mean quality is not below this. */
  readonly meanQuality?: number;
  /** What plans keep to: floors, shares, budgets. */
  readonly constraints: Constraints;
  readonly confidence?: number;
  readonly solver: string;
  readonly engine?: string;
  /** Where the engine can be asked what it serves. */
  readonly engineUrl?: string;
  /** Publish when the utility of a request grows by more than this share of its TTFT. */
  readonly minGain: number;
  /** Seconds of utility per byte that a change of placements moves; 0: moving is free. */
  readonly migrationSecondsPerByte: number;
  readonly thresholds: DriftThresholds;
  /** Online quality samples, where somebody writes them. */
  readonly samples?: string;
  /** Tiers are probed at most this often; null: never. */
  readonly probeEverySeconds: number | null;
  readonly probeSeconds: number;
  /** Time for measuring anew what drifted. */
  readonly budgetSeconds: number;
  /** Nothing is published for so long after somebody went back to an older generation. */
  readonly holdSeconds: number;
  /** Ends such a hold, and takes an engine that has changed as it is. */
  readonly resume: boolean;
  /** Decide and say so, but write nothing at all. */
  readonly dryRun: boolean;
}

/** The measurements a turn plans with. */
export interface TurnInputs {
  readonly tiers: readonly Tier[];
  readonly model: Model;
  readonly methods: readonly MethodRow[];
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
  readonly warnings: readonly string[];
}

/** A method at a ratio. */
export interface MethodPoint {
  readonly method: string;
  readonly compressionRatio: number;
}

export type Level = 'info' | 'warn' | 'error';

/** What a turn needs from outside: the clock, the measurements, the devices, somebody to tell. */
export interface TurnTools {
  now(): Date;
  /** @param blockTokens tokens of a block of the log, for capacities in blocks. @throws EvicpressError */
  loadInputs(blockTokens: number): Promise<TurnInputs>;
  /** Identity of every input file by path, without reading it, and of the flags: equal again, nothing changed. */
  identity(): Promise<Record<string, string>>;
  /** Measures a tier for about so long. @throws EvicpressError where it cannot be used. */
  measureTier(tier: Tier, seconds: number): Promise<Tier>;
  /**
   * Profiles methods anew for about so long; absent where nothing could.
   * @param contexts those to begin with. @param profile whose rows are to be replaced: of one model and metric.
   * @returns rows as a method profile has them. @throws EvicpressError where it cannot be done here.
   */
  profileMethods?(
    points: readonly MethodPoint[],
    contexts: readonly string[],
    profile: readonly MethodRow[],
    seconds: number,
  ): Promise<readonly MethodRow[]>;
  /** Asks the engine what it serves; absent where no engine was named. @throws EvicpressError where it does not answer. */
  served?(): Promise<ServedModel>;
  tell(level: Level, message: string, fields?: Readonly<Record<string, unknown>>): void;
}
