import type { Model } from '../formats/model.js';
import type { Plan } from '../formats/plan.js';
import type { Tier } from '../formats/tiers.js';
import type { Named } from '../registry.js';

/** What an engine can carry out of a plan; data, so that the planner need not know engines. */
export interface EngineCapabilities {
  /** Lossy methods it can apply context by context; `any` where it knows no limit. */
  readonly methods: readonly string[] | 'any';
  /** Lossy methods it can apply to everything it caches at once, and to nothing less. */
  readonly instanceMethods: readonly string[];
  /** Kinds of tier it can keep caches in. */
  readonly tierKinds: readonly string[];
  /** Whether it follows a placement per context; else it takes sizes, and decides itself what is where. */
  readonly perContext: boolean;
  /** What a reader must know, one sentence each. */
  readonly notes: readonly string[];
}

/** What an export needs to know besides the plan. */
export interface ExportSetting {
  /** The tier profile the plan was made for: kinds, locations, reserved room. */
  readonly tiers: readonly Tier[];
  /** Where the plan in force is published; seen from the export's folder where it is relative. */
  readonly planPath: string;
  /** Tensor-parallel ranks of one engine instance. */
  readonly ranks: number;
  readonly model?: Model;
  /** The engine's own name or path of the model it serves. */
  readonly modelPath: string;
}

/** A file for the engine: where it belongs and its whole text. */
export interface ExportFile {
  /** Relative to the export's folder. */
  readonly path: string;
  readonly text: string;
  readonly executable?: boolean;
}

/** An engine: one file, one line in the list of index.ts. */
export interface EngineTarget extends Named {
  /** The version whose option names are written, and how they were checked. */
  readonly checkedAgainst: string;
  readonly capabilities: EngineCapabilities;
  /** Configuration and command lines that carry the plan out as far as the engine can. */
  files(plan: Plan, setting: ExportSetting): ExportFile[];
  /** What of this plan will go otherwise than planned as sizes are, one sentence each with what to do. */
  warnings?(plan: Plan, setting: ExportSetting): string[];
}
