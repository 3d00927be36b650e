import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { EvicpressError } from '../errors.js';
import type { PolicyResult } from '../formats/replay.js';
import { workerFile } from '../package-root.js';
import type { OnProgress } from '../progress.js';
import { shared } from '../traces/column.js';
import { type SharedTrace, sharedSpans, sharedTrace } from '../traces/share.js';
import type { Spans } from '../traces/spans.js';
import type { PolicyRun } from './runs.js';
import { type ReplaySetting, replay } from './simulator.js';

/** Below so many block accesses, all runs together, threads take longer to start than they save. */
const WORTH_THREADS = 4e6;

/** What a thread is handed. Threads take the next run that nobody has taken, until there is none. */
export interface RunAssignment {
  readonly setting: Omit<ReplaySetting, 'trace' | 'facts'>;
  readonly trace: SharedTrace;
  readonly spans: Spans;
  readonly unlimitedTokens: Float64Array;
  /** Names of the policies, and the order in which their runs start. */
  readonly names: readonly string[];
  readonly order: readonly number[];
  /** One counter over shared memory: how many of the order are taken. */
  readonly taken: Int32Array;
}

/** What a thread says of one run; a fault is of the user's input where it has an exit code. */
export type RunReport =
  | { readonly run: number; readonly result: PolicyResult }
  | { readonly message: string; readonly exitCode?: EvicpressError['exitCode'] };

export interface ThreadOptions {
  /** As many as there are processors without it. */
  readonly threads?: number;
  /** Block accesses, all runs together, from which on threads are used. */
  readonly worthAccesses?: number;
}

/**
 * Replays a log under policies; long logs in threads that share its columns, with the same results: the caller has
 * its own thread for what else there is to work out.
 * @returns the results in the order of the runs.
 */
export async function replayPolicies(
  setting: ReplaySetting,
  runs: readonly PolicyRun[],
  onProgress: OnProgress,
  { threads = availableParallelism(), worthAccesses = WORTH_THREADS }: ThreadOptions = {},
): Promise<PolicyResult[]> {
  if (threads > 1 && setting.trace.blocks.length * runs.length >= worthAccesses)
    return inThreads(setting, runs, onProgress, Math.min(threads, runs.length));
  return runs.map((run, done) => {
    onProgress({ stage: run.name, done, total: runs.length });
    return replay(setting, run).result;
  });
}

async function inThreads(
  { trace, facts, ...setting }: ReplaySetting,
  runs: readonly PolicyRun[],
  onProgress: OnProgress,
  threads: number,
): Promise<PolicyResult[]> {
  // They start while what they are handed is worked out.
  const workers = Array.from({ length: threads }, () => new Worker(workerFile('replay/run.worker')));
  const assignment: RunAssignment = {
    setting,
    trace: sharedTrace(trace, setting.plan !== undefined),
    spans: sharedSpans(facts.spans),
    unlimitedTokens: shared(facts.unlimitedTokens),
    names: runs.map((run) => run.name),
    order: longestFirst(runs),
    taken: new Int32Array(new SharedArrayBuffer(4)),
  };
  const results = new Array<PolicyResult>(runs.length);
  let done = 0;
  const progress = (stage: string) => onProgress({ stage, done, total: runs.length });
  progress(`${threads} at a time`);
  try {
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            worker.postMessage(assignment);
            worker.on('message', (report: RunReport) => {
              if ('message' in report) return reject(faultOf(report));
              results[report.run] = report.result;
              done++;
              progress(runs[report.run]!.name);
            });
            worker.on('error', reject);
            worker.on('exit', (code) => (code === 0 ? resolve() : reject(endedEarly(code))));
          }),
      ),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return results;
}

/** Runs in the order of what an access costs them, so that the last to end is a short one. */
function longestFirst(runs: readonly PolicyRun[]): number[] {
  const costOf = (run: number) => runs[run]!.kind.cost ?? 1;
  return runs.map((_, i) => i).sort((a, b) => costOf(b) - costOf(a) || a - b);
}

function faultOf({ message, exitCode }: { message: string; exitCode?: EvicpressError['exitCode'] }): Error {
  return exitCode === undefined ? new Error(message) : new EvicpressError(message, exitCode);
}

function endedEarly(code: number): Error {
  return new Error(`A thread of the replay ended with ${code} before its work was done.`);
}
