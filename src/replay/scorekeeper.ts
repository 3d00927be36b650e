import { prefillSeconds } from '../cost/prefill.js';
import { transferSeconds } from '../cost/transfer.js';
import type { Model } from '../formats/model.js';
import type { Tier } from '../formats/tiers.js';
import type { Trace } from '../traces/trace.js';
import { FoundRuns } from './found-runs.js';
import type { Queues } from './queues.js';
import type { TieredStore } from './store.js';

/** What happened to every request of a log under one policy, in columns by request. */
export interface Scores {
  /** Tokens found in the caches, all tiers. */
  readonly hitTokens: Float64Array;
  /** Of these, tokens that were loaded; the rest was recomputed because that was faster. */
  readonly loadedTokens: Float64Array;
  readonly ttftSeconds: Float64Array;
  readonly quality: Float64Array;
  /** By request and tier: tokens found. Layout: request · tiers + tier. */
  readonly hitTokensOfTier: Float64Array;
  /** By request and tier: bytes loaded. */
  readonly loadedBytesOfTier: Float64Array;
  /** Seconds of prefill, and of decompression of what was loaded. */
  readonly prefillSeconds: Float64Array;
  readonly decompressSeconds: Float64Array;
  /** Documents found and asked for; empty for prefixes. */
  readonly documentsHit: Int32Array;
  readonly documentsAsked: Int32Array;
}

/**
 * Serves requests from the store as an engine would: finds the longest cached prefix (or the cached
 * documents), loads as much of it as pays, prefills the rest.
 */
export class Scorekeeper {
  readonly scores: Scores;
  /** What was found of the request being served, where blocks are of one size and nothing is compressed. */
  readonly found: FoundRuns;
  /** Runs of found blocks of one tier and one number of bytes per token, in the order in which they are loaded. */
  private readonly runTier: Int32Array;
  private readonly runTokens: Float64Array;
  private readonly runBytes: Float64Array;
  private readonly runDecompress: Float64Array;
  private readonly runQuality: Float64Array;
  private runs = 0;
  private readonly bytes: Float64Array;
  private readonly lastRequest: Int32Array;
  private readonly uniform: boolean;

  constructor(
    private readonly trace: Trace,
    private readonly store: TieredStore,
    private readonly tiers: readonly Tier[],
    private readonly model: Model,
    private readonly queues: Queues,
  ) {
    const n = trace.requests;
    const documents = trace.reuse === 'documents';
    this.scores = {
      hitTokens: new Float64Array(n),
      loadedTokens: new Float64Array(n),
      ttftSeconds: new Float64Array(n),
      quality: new Float64Array(n),
      hitTokensOfTier: new Float64Array(n * tiers.length),
      loadedBytesOfTier: new Float64Array(n * tiers.length),
      prefillSeconds: new Float64Array(n),
      decompressSeconds: new Float64Array(n),
      documentsHit: new Int32Array(documents ? n : 0),
      documentsAsked: new Int32Array(documents ? n : 0),
    };
    this.uniform = store.bytesOfEach !== undefined;
    let longest = 0;
    for (let r = 0; r < n; r++)
      longest = Math.max(longest, trace.blockOffsets[r + 1]! - trace.blockOffsets[r]!);
    this.found = new FoundRuns(longest);
    // One more: the block in which the input ends is a run of its own.
    this.runTier = new Int32Array(longest + 1);
    this.runTokens = new Float64Array(longest + 1);
    this.runBytes = new Float64Array(longest + 1);
    this.runDecompress = new Float64Array(longest + 1);
    this.runQuality = new Float64Array(longest + 1);
    this.bytes = new Float64Array(tiers.length);
    this.lastRequest = new Int32Array(documents ? trace.tokensOfBlock.length : 0).fill(-1);
  }

  /** Scores one request against the store as it stands. */
  serve(request: number): void {
    if (this.trace.reuse === 'documents') this.findDocuments(request);
    else if (this.uniform) this.findUniformPrefix(request);
    else this.findPrefix(request);
    this.loadAndPrefill(request);
  }

  /** Scores one request by what `found` says of it. */
  serveFound(request: number): void {
    this.measureFound(request);
    this.loadAndPrefill(request);
  }

  /** Adds seconds of prefill to the request that was scored last. */
  charge(request: number, seconds: number): void {
    const { prefillSeconds: prefill, ttftSeconds } = this.scores;
    prefill[request]! += seconds;
    ttftSeconds[request] = this.queues.prefill(prefill[request]!);
  }

  /** Blocks of one size, nothing compressed: only where each block lies has to be looked up. */
  private findUniformPrefix(request: number): void {
    const { blocks, blockOffsets } = this.trace;
    const { tierOf } = this.store;
    const { found } = this;
    const end = blockOffsets[request + 1]!;
    found.clear();
    for (let k = blockOffsets[request]!; k < end; ) {
      const from = k;
      const tier = tierOf[blocks[k]!]!;
      if (tier < 0) break;
      while (++k < end && tierOf[blocks[k]!] === tier);
      found.add(tier, k - from);
    }
    this.measureFound(request);
  }

  /** Tokens and bytes of what was found, as far as the input reaches. */
  private measureFound(request: number): void {
    const { found } = this;
    const { blockTokens, inputTokens } = this.trace;
    let left = inputTokens[request]!;
    this.runs = 0;
    for (let i = 0; i < found.count && left > 0; i++) {
      const tier = found.tierOf[i]!;
      const whole = Math.min(found.blocksOf[i]!, Math.floor(left / blockTokens));
      if (whole > 0) this.addUniformRun(tier, whole, whole * blockTokens);
      left -= whole * blockTokens;
      if (whole === found.blocksOf[i]! || left === 0) continue;
      this.addUniformRun(tier, 1, left);
      left = 0;
    }
  }

  private addUniformRun(tier: number, blocks: number, tokens: number): void {
    const run = this.runs++;
    this.openRun(run, tier);
    this.runTokens[run] = tokens;
    this.runBytes[run] = blocks * this.store.bytesOfEach!;
  }

  private findPrefix(request: number): void {
    const { blocks, blockOffsets, tokensOfBlock, inputTokens } = this.trace;
    const { tierOf, levelOf, loadedBytes } = this.store;
    const { curveOf } = this.store.blocks;
    const end = blockOffsets[request + 1]!;
    let left = inputTokens[request]!;
    let run = -1;
    let tier = -1;
    let level = -1;
    let curve = -1;
    for (let k = blockOffsets[request]!; k < end && left > 0; k++) {
      const block = blocks[k]!;
      const found = tierOf[block]!;
      if (found < 0) break;
      const ends = left < tokensOfBlock[block]!;
      if (found !== tier || levelOf[block] !== level || (level !== 0 && curveOf[block] !== curve) || ends) {
        tier = found;
        level = levelOf[block]!;
        curve = curveOf[block]!;
        this.openRun(++run, tier);
      }
      const tokens = ends ? left : tokensOfBlock[block]!;
      left -= tokens;
      this.runTokens[run]! += tokens;
      this.runBytes[run]! += loadedBytes[block]!;
      if (level !== 0) this.addLossy(run, block);
    }
    this.runs = run + 1;
  }

  /** Documents may be loaded in any order; those of the fastest tier come first. */
  private findDocuments(request: number): void {
    const { blocks, blockOffsets, tokensOfBlock, inputTokens } = this.trace;
    const { tierOf, levelOf, loadedBytes } = this.store;
    const { documentsHit, documentsAsked } = this.scores;
    let left = inputTokens[request]!;
    let run = -1;
    for (let tier = -1; tier < this.tiers.length; tier++) {
      let open = false;
      for (let k = blockOffsets[request]!; k < blockOffsets[request + 1]!; k++) {
        const block = blocks[k]!;
        if (tier === -1) {
          if (this.lastRequest[block] === request) continue;
          this.lastRequest[block] = request;
          documentsAsked[request]!++;
          if (tierOf[block]! >= 0) documentsHit[request]!++;
          continue;
        }
        if (tierOf[block] !== tier || this.lastRequest[block] !== request) continue;
        // Marks the document as taken, so that a second mention does not count again.
        this.lastRequest[block] = -1;
        if (left === 0) continue;
        const ends = left < tokensOfBlock[block]!;
        if (!open || ends) this.openRun(++run, tier);
        open = true;
        const tokens = ends ? left : tokensOfBlock[block]!;
        left -= tokens;
        this.runTokens[run]! += tokens;
        this.runBytes[run]! += loadedBytes[block]!;
        if (levelOf[block] !== 0) this.addLossy(run, block);
      }
    }
    this.runs = run + 1;
  }

  private openRun(run: number, tier: number): void {
    this.runTier[run] = tier;
    this.runTokens[run] = 0;
    this.runBytes[run] = 0;
    this.runDecompress[run] = 0;
    this.runQuality[run] = 1;
  }

  private addLossy(run: number, block: number): void {
    this.runDecompress[run]! += this.store.decompressSeconds(block);
    this.runQuality[run] = Math.min(this.runQuality[run]!, this.store.qualityOf(block));
  }

  /**
   * Loads the first runs whose loading together with the prefill of the rest takes least. A token takes as long to
   * load as any other of its run, and saves more the later it comes: the best place to stop is the end of a run.
   */
  private loadAndPrefill(request: number): void {
    const { scores, tiers, model, bytes } = this;
    const inputTokens = this.trace.inputTokens[request]!;
    const whole = prefillSeconds(model, inputTokens);
    clear(bytes);
    if (this.runs === 0) {
      // Every other column is as it should be, and memory that nobody writes to costs nothing.
      scores.quality[request] = 1;
      scores.prefillSeconds[request] = whole;
      scores.ttftSeconds[request] = this.queues.serve(request, bytes, 0, whole);
      return;
    }
    let best = whole;
    let bestRuns = 0;
    let tokens = 0;
    let decompress = 0;
    for (let run = 0; run < this.runs; run++) {
      const tier = this.runTier[run]!;
      tokens += this.runTokens[run]!;
      decompress += this.runDecompress[run]!;
      bytes[tier]! += this.runBytes[run]!;
      scores.hitTokensOfTier[request * tiers.length + tier]! += this.runTokens[run]!;
      let seconds = decompress + whole - prefillSeconds(model, tokens);
      for (let t = 0; t < tiers.length; t++) seconds += transferSeconds(tiers[t]!.read, bytes[t]!);
      if (seconds < best) {
        best = seconds;
        bestRuns = run + 1;
      }
    }
    scores.hitTokens[request] = tokens;
    let loaded = 0;
    let quality = 1;
    decompress = 0;
    clear(bytes);
    for (let run = 0; run < bestRuns; run++) {
      loaded += this.runTokens[run]!;
      decompress += this.runDecompress[run]!;
      bytes[this.runTier[run]!]! += this.runBytes[run]!;
      quality = Math.min(quality, this.runQuality[run]!);
    }
    for (let t = 0; t < tiers.length; t++) scores.loadedBytesOfTier[request * tiers.length + t] = bytes[t]!;
    const prefill = whole - prefillSeconds(model, loaded);
    scores.loadedTokens[request] = loaded;
    scores.quality[request] = quality;
    scores.prefillSeconds[request] = prefill;
    scores.decompressSeconds[request] = decompress;
    scores.ttftSeconds[request] = this.queues.serve(request, bytes, decompress, prefill);
  }
}

/** Sets a few numbers to 0, sooner than `fill` would. */
function clear(bytes: Float64Array): void {
  for (let t = 0; t < bytes.length; t++) bytes[t] = 0;
}
