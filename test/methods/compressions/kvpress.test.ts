import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { keydiffScores } from '../../../src/methods/compressions/keydiff.js';
import { knormScores } from '../../../src/methods/compressions/knorm.js';
import { snapkvScores } from '../../../src/methods/compressions/snapkv.js';
import { streamingLlmScores } from '../../../src/methods/compressions/streaming-llm.js';
import { keptTokens, type Scorer, selectTokens } from '../../../src/methods/compressions/token-dropping.js';

/** Recorded by fixtures/record-kvpress.py from the presses of kvpress 0.5.5 on keys and queries of real contexts. */
interface Fixture {
  readonly tokens: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly contexts: readonly {
    readonly context: string;
    readonly keys: string;
    readonly queries: string;
    readonly presses: Readonly<Record<string, { scores?: string; kept: Record<string, number[][]> }>>;
  }[];
}
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/kvpress-0.5.5.json', import.meta.url), 'utf8'),
) as Fixture;
const scorers: Readonly<Record<string, Scorer>> = {
  keydiff: keydiffScores,
  knorm: knormScores,
  snapkv: snapkvScores,
  'streaming-llm': streamingLlmScores,
};

describe.each(fixture.contexts)('$context', ({ keys, queries, presses }) => {
  const { tokens, kvHeads, headSize } = fixture;
  const layer = {
    tokens,
    kvHeads,
    headSize,
    keys: floats(keys),
    values: new Float32Array(0),
    queries: floats(queries),
  };

  it.each(Object.keys(scorers))('%s scores every token as kvpress does and keeps the same ones', (name) => {
    const ours = scorers[name]!(layer);
    const recorded = presses[name]!;
    if (recorded.scores !== undefined) {
      const theirs = floats(recorded.scores);
      const worst = Math.max(...ours.map((score, i) => Math.abs(score - theirs[i]!)));
      expect(worst).toBeLessThan(1e-5);
    }
    for (const [ratio, kept] of Object.entries(recorded.kept)) {
      const selected = selectTokens(ours, tokens, keptTokens(tokens, Number(ratio)));
      expect(Array.from(selected)).toEqual(kept.flat());
    }
  });
});

function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
