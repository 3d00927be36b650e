import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { LiveEngine } from '../../../src/engines/live-engine.js';
import { readServedChunks, servedBetween } from '../../../src/engines/live-metrics.js';
import type { Stack } from '../../engines/stack.js';
import { type Arm, CHUNK_TOKENS } from './arms.js';
import { type BenchContext, type BenchRequest, promptOf } from './requests.js';

/** Length of an answer, in tokens. */
export const ANSWER_TOKENS = 12;

/** One request to one arm. */
export interface Answered extends BenchRequest {
  readonly arm: string;
  readonly ttftSeconds: number;
  readonly text: string;
  readonly inputTokens: number;
  /** How many tokens were asked for. */
  readonly answerTokens?: number;
  /** Chunks, by the place that served them: `dram`, `ssd int8`; for stock arms `l1` and `l2`, in tokens. */
  readonly hits: Readonly<Record<string, number>>;
}

/** Sends a request and notes what served it. */
export async function askCounted(
  arm: Arm,
  engine: LiveEngine,
  contexts: readonly BenchContext[],
  request: BenchRequest,
  { salt, answerTokens = ANSWER_TOKENS }: { salt?: string; answerTokens?: number } = {},
): Promise<Answered> {
  const before = await served(arm);
  const prompt = promptOf(contexts, request);
  const { ttftSeconds, text } = await engine.complete(prompt, answerTokens, salt);
  const hits = Object.fromEntries(servedBetween(before, await served(arm)));
  return {
    arm: salt ?? arm.name,
    ...request,
    ttftSeconds,
    text,
    inputTokens: prompt.length,
    answerTokens,
    hits,
  };
}

/** What each place has served so far. */
export async function served({ planned, stack }: Arm): Promise<ReadonlyMap<string, number>> {
  if (planned) return readServedChunks(`${stack.http}/metrics`);
  const metrics = await stack.metrics();
  return new Map(
    (['l1', 'l2'] as const).map((level) => [
      level,
      sumOf(metrics, `lmcache_mp_lookup_hit_${level}_tokens_total`),
    ]),
  );
}

/** A counter over all its labels. */
export function sumOf(metrics: ReadonlyMap<string, number>, name: string): number {
  return [...metrics].reduce((sum, [key, value]) => (key.split('{')[0] === name ? sum + value : sum), 0);
}

/** Chunks looked up in a server so far, and chunks that failed for want of room or because a copy was not there. */
export async function failuresOf(stack: Stack): Promise<{ lookups: number; failures: number }> {
  const metrics = await stack.metrics();
  // A chunk that came into L1 meanwhile is served from there.
  const failed = new Map([...metrics].filter(([name]) => !name.includes('reason="l1_contended"')));
  return {
    lookups: sumOf(metrics, 'lmcache_mp_lookup_requested_tokens_total') / CHUNK_TOKENS,
    failures:
      sumOf(failed, 'lmcache_mp_l2_prefetch_failure_total') +
      sumOf(failed, 'lmcache_mp_l1_allocation_failure_total'),
  };
}

/** A journal of NDJSON lines: a bench that is cut off goes on where it stopped. */
export class Journal<T> {
  readonly rows: T[];

  constructor(private readonly path: string) {
    this.rows = existsSync(path)
      ? readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as T)
      : [];
  }

  add(row: T): void {
    appendFileSync(this.path, `${JSON.stringify(row)}\n`);
    this.rows.push(row);
  }
}
