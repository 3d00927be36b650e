import { TraceBuilder } from '../../../src/traces/builder.js';
import type { Trace } from '../../../src/traces/trace.js';
import { randomFrom, zipf } from './random.js';

const BLOCK = 512;

/** A request: its time and the names of its blocks, each standing for all that comes before it, too. */
interface Request {
  readonly time: number;
  readonly blocks: readonly string[];
}

/** Blocks 0 … n − 1 of what has a name. */
function blocksOf(name: string, n: number): string[] {
  return Array.from({ length: n }, (_, b) => `${name}/${b}`);
}

function logOf(requests: Request[]): Trace {
  const builder = new TraceBuilder('prefix');
  for (const { time, blocks } of requests.sort((a, b) => a.time - b.time)) {
    let path = '';
    for (const block of blocks) {
      path = `${path}|${block}`;
      builder.push(builder.ids.ofText(path));
    }
    builder.endRequest({
      timestampSeconds: time,
      inputTokens: BLOCK * blocks.length - 100,
      outputTokens: 200,
    });
  }
  return builder.finish(BLOCK);
}

/** Jobs, each reading one of six long lists of documents in order, under one of three prompts. */
export function batchJobs(seed: number, requests = 5000): Trace {
  const random = randomFrom(seed);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from));
  const lists = Array.from({ length: 6 }, () => Array.from({ length: whole(40, 260) }, () => whole(3, 40)));
  const made: Request[] = [];
  for (let job = 0; made.length < requests; job++) {
    const list = whole(0, lists.length);
    const prompt = blocksOf(`prompt ${whole(0, 3)}`, 2);
    lists[list]!.forEach((length, d) => {
      const blocks = [...prompt, ...blocksOf(`document ${list}.${d}`, length), `job ${job}`];
      made.push({ time: made.length, blocks });
    });
  }
  return logOf(made);
}

/** Evaluations: one long prompt with examples for a few dozen questions in a row, half of them asked before. */
export function evaluations(seed: number, requests = 5000): Trace {
  const random = randomFrom(seed);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from));
  const lengths = Array.from({ length: 30 }, () => whole(5, 80));
  const made: Request[] = [];
  while (made.length < requests) {
    const tasks = [whole(0, 30), whole(0, 30)];
    const sideBySide = random() < 0.4 ? 2 : 1;
    for (let left = whole(20, 150); left > 0; left--) {
      const task = tasks[left % sideBySide]!;
      const question = random() < 0.5 ? whole(0, 150) : 1000 + made.length;
      const blocks = [
        ...blocksOf(`examples ${task}`, lengths[task]!),
        ...blocksOf(`question ${question}`, 2),
      ];
      made.push({ time: made.length, blocks });
    }
  }
  return logOf(made);
}

/** Users whose histories grow and begin anew, behind a system prompt that is replaced three times. */
export function deployments(seed: number, requests = 4000): Trace {
  const random = randomFrom(seed);
  const pick = zipf(300, 0.7, random);
  const turns = new Int32Array(300);
  const made: Request[] = [];
  for (let r = 0; r < requests; r++) {
    const version = Math.floor((4 * r) / requests + 0.3 * random());
    const user = pick();
    turns[user] = (turns[user]! + 1) % 30;
    const history = blocksOf(`user ${user}`, 2 * turns[user]! + 2);
    made.push({ time: 2 * r, blocks: [...blocksOf(`system ${version}`, 20), ...history] });
  }
  return logOf(made);
}

/** Coding agents: long paths that grow, go back, are retried and compacted, and send out agents of their own. */
export function branchingAgents(seed: number, requests = 4000): Trace {
  const random = randomFrom(seed);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from));
  const wait = (mean: number) => -mean * Math.log(1 - random());
  const made: Request[] = [];
  let start = 0;
  for (let session = 0; made.length < requests; session++) {
    start += wait(120);
    const kind = whole(0, 4);
    const head = [...blocksOf(`tools ${kind}`, 10 + 8 * kind), ...blocksOf(`repository ${session % 17}`, 6)];
    let path = head;
    let time = start;
    for (let turn = whole(10, 90); turn > 0; turn--) {
      const what = random();
      if (what < 0.06) path = path.slice(0, whole(head.length, path.length + 1));
      if (what > 0.92) {
        const task = [...head, ...blocksOf(`task ${session}.${turn}`, 3)];
        for (let step = 1; step < whole(3, 8); step++)
          made.push({ time: time + 10 * step, blocks: [...task, ...blocksOf('step', 2 * step)] });
      }
      path = [...path, ...blocksOf(`turn ${session}.${turn}`, whole(0, 6))];
      if (path.length > 220) path = [...head, ...blocksOf(`summary ${session}.${turn}`, 8)];
      for (let attempt = random() < 0.07 ? 2 : 1; attempt > 0; attempt--)
        made.push({ time: time + attempt, blocks: path });
      time += wait(random() < 0.04 ? 1200 : 20);
    }
  }
  return logOf(made);
}
