import { parentPort } from 'node:worker_threads';
import { EvicpressError } from '../errors.js';
import { withBlockIds } from '../traces/trace.js';
import { LogFacts } from './log-facts.js';
import type { RunAssignment, RunReport } from './run-policies.js';
import { policyRun } from './runs.js';
import { replay } from './simulator.js';

/** A thread of the replay: takes runs from the common order until there is none left. */
function work({ setting, names, order, taken, ...shared }: RunAssignment): void {
  const trace = withBlockIds(shared.trace);
  const facts = new LogFacts(trace, shared);
  for (let next = Atomics.add(taken, 0, 1); next < order.length; next = Atomics.add(taken, 0, 1)) {
    const run = order[next]!;
    const policy = policyRun(names[run]!, trace, setting.compression);
    report({ run, result: replay({ ...setting, trace, facts }, policy).result });
  }
}

function report(message: RunReport): void {
  parentPort!.postMessage(message);
}

parentPort!.once('message', (assignment: RunAssignment) => {
  try {
    work(assignment);
  } catch (error) {
    if (error instanceof EvicpressError) report({ message: error.message, exitCode: error.exitCode });
    else throw error;
  }
});
