import { readFileSync } from 'node:fs';
import { chunkHashes } from '../../../src/engines/chunk-hashes.js';
import type { Stack } from '../../engines/stack.js';
import { CHUNK_TOKENS } from './arms.js';

/** A context of the experiment, as the engine sees it. */
export interface BenchContext {
  readonly context: string;
  readonly tokens: readonly number[];
  /** Names of its full chunks. */
  readonly hashes: readonly string[];
  /** Token ids of its questions. */
  readonly queries: readonly (readonly number[])[];
}

/** One question about one context. */
export interface BenchRequest {
  readonly context: number;
  readonly query: number;
}

/**
 * Contexts with text and questions, in the engine's tokens; cut to at most so many, and to whole chunks, so
 * that everything reusable has a name and the question is what is new.
 */
export async function readBenchContexts(
  path: string,
  stack: Stack,
  maxTokens: number,
): Promise<BenchContext[]> {
  const rows = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { context?: string; text?: string; queries?: string[] });
  const contexts: BenchContext[] = [];
  for (const { context, text, queries } of rows) {
    if (context === undefined || text === undefined || queries === undefined) continue;
    const all = await stack.tokenize(text);
    const whole = CHUNK_TOKENS * Math.floor(Math.min(all.length, maxTokens) / CHUNK_TOKENS);
    if (whole === 0) continue;
    const asked: number[][] = [];
    for (const query of queries.slice(0, 3))
      asked.push((await stack.tokenize(`\n\nQuestion: ${query}\nAnswer:`)).slice(0, CHUNK_TOKENS - 40));
    const tokens = all.slice(0, whole);
    contexts.push({ context, tokens, hashes: chunkHashes(tokens, CHUNK_TOKENS), queries: asked });
  }
  return contexts;
}

export function promptOf(contexts: readonly BenchContext[], { context, query }: BenchRequest): number[] {
  const { tokens, queries } = contexts[context]!;
  return [...tokens, ...queries[query]!];
}

/** Pseudo-random numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Every context once in an order of chance, then requests drawn by Zipf's law over another order of chance; each
 * with a question of chance.
 */
export function drawRequests(
  contexts: readonly BenchContext[],
  { seed, zipf, warm, measured }: { seed: number; zipf: number; warm: number; measured: number },
): { warm: BenchRequest[]; measured: BenchRequest[] } {
  const random = randomOf(seed);
  const shuffled = () => {
    const order = contexts.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  };
  const ask = (context: number): BenchRequest => ({
    context,
    query: Math.floor(random() * contexts[context]!.queries.length),
  });
  const once = shuffled().map(ask);
  const byRank = shuffled();
  const weights = byRank.map((_, rank) => (rank + 1) ** -zipf);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const draw = () => {
    let left = random() * total;
    const rank = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return ask(byRank[rank < 0 ? byRank.length - 1 : rank]!);
  };
  return {
    warm: [...once, ...Array.from({ length: warm }, draw)],
    measured: Array.from({ length: measured }, draw),
  };
}
