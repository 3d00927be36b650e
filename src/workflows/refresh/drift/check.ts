import type { ServedModel } from '../../../engines/served.js';
import type { MethodRow } from '../../../formats/methods.js';
import type { Model } from '../../../formats/model.js';
import type { Plan } from '../../../formats/plan.js';
import type { Tier } from '../../../formats/tiers.js';
import type { Named } from '../../../registry.js';
import type { Trace } from '../../../traces/trace.js';
import type { RefreshState } from '../state.js';
import type { QualitySample } from './samples.js';

/** From where on a change counts as drift. */
export interface DriftThresholds {
  /** Measured transfer time over the profile's, and the other way round. */
  readonly slowdown: number;
  /** Profiled less online quality; the paper re-profiles at 0.3. */
  readonly qualityGap: number;
  /** A smaller gap counts too when it is at least this large and chance is less likely than `chance`. */
  readonly significantGap: number;
  readonly chance: number;
  /** Share of the promised hits that must arrive. */
  readonly arrivedHits: number;
  /** Share of the reuse that the plan may have no row for. */
  readonly unseen: number;
  /** Requests since publication below which hits and unseen content are not judged. */
  readonly enoughRequests: number;
}

/** From where on a change counts as drift; a gap of 0.3 in quality is the paper's trigger. */
export const DEFAULT_THRESHOLDS: DriftThresholds = {
  slowdown: 1.5,
  qualityGap: 0.3,
  significantGap: 0.05,
  chance: 0.01,
  arrivedHits: 0.8,
  unseen: 0.5,
  enoughRequests: 200,
};

/** What the checks look at. */
export interface DriftSetting {
  readonly plan: Plan | undefined;
  readonly state: RefreshState;
  readonly thresholds: DriftThresholds;
  readonly tiers: readonly Tier[];
  readonly model: Model;
  readonly engine: string | undefined;
  /** What the engine said when it was asked; undefined where it was not, or did not answer. */
  readonly served: ServedModel | undefined;
  readonly methods: readonly MethodRow[];
  /** Fingerprints of the profiles in use. */
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
  /** Recent requests; undefined before the first. */
  readonly trace: Trace | undefined;
  readonly samples: readonly QualitySample[];
  /** Measures a tier shortly; undefined where no probe is due or none is possible. */
  readonly probe: ((tier: Tier) => Promise<Tier>) | undefined;
}

/** One thing looked at, with the figures it was judged by. */
export interface DriftFinding {
  readonly check: string;
  /** Of which tier, method, plan. */
  readonly subject: string;
  readonly drifted: boolean;
  /** In a sentence, with value and threshold. */
  readonly evidence: string;
  readonly value: number | null;
  readonly threshold: number | null;
  /** Of a tier: it cannot be used at all. */
  readonly gone?: boolean;
  /** What a correction is made of. */
  readonly measured?: Tier;
  readonly corrected?: {
    readonly method: string;
    readonly compressionRatio: number;
    readonly factor: number;
  };
}

/** A kind of drift: one file, one line in the list of index.ts. */
export interface DriftCheck extends Named {
  /** Findings, drifted or not; none where there is nothing to judge by. */
  check(setting: DriftSetting): Promise<DriftFinding[]>;
}
