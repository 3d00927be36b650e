import { describe, expect, it } from 'vitest';
import { ageBin } from '../../../src/replay/experts/ages.js';
import { Aging } from '../../../src/replay/experts/aging.js';
import { RunTable } from '../../../src/replay/experts/run-table.js';
import { LogFacts } from '../../../src/replay/log-facts.js';
import { zipfWithDrift } from '../../bench/policy/synthetic.js';
import { firstRequests } from '../../traces/logs.js';

describe('aging', () => {
  it('tells of every run that enters an age bin unused, once, when it does', () => {
    const trace = firstRequests(zipfWithDrift(1, 1, 40), 400);
    const runs = new RunTable(trace, new LogFacts(trace));
    const binOf = new Map<number, number>();
    const aging = new Aging(runs);
    for (let request = 0; request < trace.requests; request++) {
      const aged = aging.advance();
      for (let i = 0; i < aged.count; i++) {
        const run = aged.runs[i]!;
        expect(aged.bins[i]).toBe(binOf.get(run)! + 1);
        binOf.set(run, aged.bins[i]!);
      }
      for (const [run, bin] of binOf) expect(bin).toBe(ageBin(request - runs.lastUse[run]!));
      runs.walk(request);
      runs.settle();
      aging.record();
      for (const run of runs.path.subarray(0, runs.pathLength)) binOf.set(run, 0);
    }
    expect(Math.max(...binOf.values())).toBeGreaterThan(10);
  });
});
