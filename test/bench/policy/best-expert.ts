import { ExpertBoard } from '../../../src/replay/experts/mix.js';
import { RunTable } from '../../../src/replay/experts/run-table.js';
import type { LogFacts } from '../../../src/replay/log-facts.js';
import type { Trace } from '../../../src/traces/trace.js';
import { BLOCK_BYTES, BYTES_PER_TOKEN } from './setting.js';

/**
 * Hit rate in the second half of a log of the expert that is best there, had it been followed from the start: what
 * no choice between these experts could be expected to exceed but by changing at the right moments.
 */
export function bestExpertRate(trace: Trace, facts: LogFacts, blocks: number): number {
  const runs = new RunTable(trace, facts);
  const blockBytes = runs.float64();
  const board = new ExpertBoard(trace, runs, blockBytes, [blocks * BLOCK_BYTES], false);
  const { experts } = board.mixes[0]!;
  const hits = new Float64Array(experts.length);
  const scoredFrom = Math.floor(trace.requests / 2);
  let tokens = 0;
  for (let request = 0; request < trace.requests; request++) {
    board.arrive();
    runs.walk(request);
    for (let i = runs.knownLength; i < runs.pathLength; i++)
      blockBytes[runs.path[i]!] = runs.tokensPerBlock(runs.path[i]!) * BYTES_PER_TOKEN;
    if (request >= scoredFrom) {
      tokens += trace.inputTokens[request]!;
      experts.forEach((expert, e) => {
        hits[e]! += Math.min(trace.inputTokens[request]!, expert.hitTokens(trace.reuse === 'prefix'));
      });
    }
    board.update(request);
  }
  return Math.max(...hits) / tokens;
}
