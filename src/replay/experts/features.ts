import type { Trace } from '../../traces/trace.js';
import type { RunTable, SplitObserver } from './run-table.js';

/** Buckets per feature. */
export const BUCKETS = 32;

/** The bucketed features of a run at one use; logarithms to base 2, in half octaves where they matter most. */
export const FEATURES = [
  'uses × where in the reused part',
  'last gap',
  'mean gap',
  'uses × last gap',
  'turn × gap since the turn before',
  'output length',
  'new blocks',
  'path length',
  'blocks before it',
  'blocks behind it',
  'run length',
  'output length of the turn before',
  'runs behind it × uses',
  'last gap × new blocks',
  'input tokens',
  'share of the path known',
] as const;
export const FEATURE_COUNT = FEATURES.length;

/** Computes the features that every run has at its last use. */
export class FeatureReader implements SplitObserver {
  /** Layout: run · FEATURE_COUNT + feature. */
  readonly values: Uint8Array;
  private readonly gapSum: Int32Array;
  private readonly output: Int32Array;

  constructor(
    private readonly trace: Trace,
    private readonly runs: RunTable,
  ) {
    this.gapSum = runs.int32();
    this.output = runs.int32();
    this.values = new Uint8Array(runs.most * FEATURE_COUNT);
    runs.observe(this);
  }

  onSplit(run: number, head: number): void {
    const { values } = this;
    const from = run * FEATURE_COUNT;
    const to = head * FEATURE_COUNT;
    for (let f = 0; f < FEATURE_COUNT; f++) values[to + f] = values[from + f]!;
  }

  /** Reads the path that was walked, before it is settled. */
  read(): void {
    const { runs, trace, values } = this;
    const { path, pathLength, knownLength, length, lastUse, uses, now } = runs;
    let total = 0;
    for (let i = 0; i < pathLength; i++) total += length[path[i]!]!;
    let known = 0;
    for (let i = 0; i < knownLength; i++) known += length[path[i]!]!;
    const outputTokens = trace.outputTokens[now]!;
    const output = octaves(outputTokens);
    const fresh = octaves(total - known);
    const deepest = knownLength > 0 ? path[knownLength - 1]! : -1;
    const turnGap = deepest === -1 ? 0 : octaves(now - lastUse[deepest]!);
    const turn = Math.min(knownLength, 7);
    const outputBefore = deepest === -1 ? 0 : octaves(this.output[deepest]!);
    const input = halfOctaves(trace.inputTokens[now]! / 64);
    const knownShare = total === 0 ? 0 : Math.round((15 * known) / total);
    let before = 0;
    for (let i = 0; i < pathLength; i++) {
      const run = path[i]!;
      const used = i < knownLength ? uses[run]! : 0;
      const gap = used === 0 ? 0 : now - lastUse[run]!;
      const gapSum = used === 0 ? 0 : this.gapSum[run]! + gap;
      const blocks = length[run]!;
      const behind = total - before - blocks;
      const place = i >= knownLength ? 0 : i === knownLength - 1 ? 1 : 2;
      const f = run * FEATURE_COUNT;
      const usesBucket = Math.min(octaves(used), 7);
      values[f] = Math.min(9, smallCount(used)) * 3 + place;
      values[f + 1] = halfOctaves(gap);
      values[f + 2] = used === 0 ? 0 : halfOctaves(gapSum / used);
      values[f + 3] = Math.min(usesBucket, 3) * 8 + Math.min(octaves(gap) >> 1, 7);
      values[f + 4] = Math.min(turn, 3) * 8 + Math.min(turnGap >> 1, 7);
      values[f + 5] = output;
      values[f + 6] = fresh;
      values[f + 7] = halfOctaves(total);
      values[f + 8] = halfOctaves(before);
      values[f + 9] = halfOctaves(behind);
      values[f + 10] = halfOctaves(blocks);
      values[f + 11] = outputBefore;
      values[f + 12] = Math.min(pathLength - 1 - i, 7) * 4 + Math.min(usesBucket, 3);
      values[f + 13] = Math.min(octaves(gap) >> 1, 7) * 4 + Math.min(fresh >> 1, 3);
      values[f + 14] = input;
      values[f + 15] = knownShare;
      before += blocks;
      this.gapSum[run] = gapSum;
      this.output[run] = outputTokens;
    }
  }
}

function octaves(value: number): number {
  return value < 1 ? 0 : Math.min(BUCKETS - 1, 32 - Math.clz32(value));
}

/** 1 + floor(2 · log2(value)), without the logarithm. */
function halfOctaves(value: number): number {
  if (value < 1) return 0;
  const octave = 31 - Math.clz32(value);
  const upper = value >= Math.SQRT2 * (1 << octave) ? 1 : 0;
  return Math.min(BUCKETS - 1, 1 + 2 * octave + upper);
}

/** 0, 1, 2, 3, 4, 5–6, 7–10, 11–18, …: exact where it matters. */
function smallCount(count: number): number {
  return count <= 4 ? count : 4 + octaves(count - 3) - 1;
}
