import { transferSeconds } from '../../cost/transfer.js';
import type { RunTable } from '../experts/run-table.js';
import type { PolicySetting } from '../policy.js';
import type { StoredRuns } from './stored-runs.js';

/** What a request found in the caches. */
export interface Found {
  /** Bytes for which the level of the largest context it found was chosen, and that context's curve; 0 without one. */
  readonly size: number;
  readonly curve: number;
  /** Uncompressed bytes it found, what was loaded for them, and the seconds that took. */
  readonly bytes: number;
  readonly loadedBytes: number;
  readonly loadSeconds: number;
  readonly quality: number;
}

/** Looks up what of the walked path is kept. */
export class FoundReader {
  private readonly loaded: Float64Array;

  constructor(
    private readonly setting: PolicySetting,
    private readonly runs: RunTable,
    private readonly stored: StoredRuns,
  ) {
    this.loaded = new Float64Array(setting.tiers.length);
  }

  /** What the request of the walked path finds, before anything is stored for it. */
  find(request: number): Found {
    const { runs, stored } = this;
    const { store, tiers, trace } = this.setting;
    let bytes = 0;
    let size = 0;
    let curve = trace.classOf[request]! + 1;
    let quality = 1;
    this.loaded.fill(0);
    for (let i = 0; i < runs.knownLength; i++) {
      const run = runs.path[i]!;
      const block = runs.first[run]!;
      const tier = store.tierOf[block]!;
      if (tier === -1) {
        if (trace.reuse === 'prefix') break;
        continue;
      }
      const length = runs.length[run]!;
      bytes += length * store.blocks.fullBytes[block]!;
      this.loaded[tier]! += length * stored.blockBytes[run]!;
      quality = Math.min(quality, stored.qualityOf(run));
      if (stored.size[run]! > size) {
        size = stored.size[run]!;
        curve = store.blocks.curveOf[block]!;
      }
    }
    let loadedBytes = 0;
    let loadSeconds = 0;
    for (let t = 0; t < tiers.length; t++) {
      loadedBytes += this.loaded[t]!;
      loadSeconds += transferSeconds(tiers[t]!.read, this.loaded[t]!);
    }
    return { size, curve, bytes, loadedBytes, loadSeconds, quality };
  }
}
