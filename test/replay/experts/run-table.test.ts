import { describe, expect, it } from 'vitest';
import { RunTable } from '../../../src/replay/experts/run-table.js';
import { LogFacts } from '../../../src/replay/log-facts.js';
import { chats, retrieval, upheavals } from '../../bench/policy/synthetic.js';
import { firstRequests } from '../../traces/logs.js';

describe('runs of a log', () => {
  it('are never more than the whole log has spans, and each is the blocks that it says', () => {
    const logs = [chats(3, 5, 200), upheavals(3, 54), retrieval(3, 0.9, 60)].map((log) =>
      firstRequests(log, 400),
    );
    for (const trace of logs) {
      const runs = new RunTable(trace, new LogFacts(trace));
      for (let request = 0; request < trace.requests; request++) {
        runs.walk(request);
        runs.settle();
      }
      expect(runs.count).toBeLessThanOrEqual(runs.most);
      const blocks = new Int32Array(trace.tokensOfBlock.length).fill(-1);
      for (let run = 0; run < runs.count; run++)
        blocks.fill(run, runs.first[run]!, runs.first[run]! + runs.length[run]!);
      expect([...blocks]).toEqual([...runs.runOf]);
    }
  });
});
