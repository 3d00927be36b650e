import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadTrace } from '../../../src/traces/load.js';
import type { Trace } from '../../../src/traces/trace.js';
import { BUNDLED_LOG } from '../../traces/logs.js';
import { otherOverlap, part, someSessions } from './rearranged.js';
import {
  bursts,
  changing,
  chats,
  loop,
  nothingAgain,
  retrieval,
  upheavals,
  zipfWithDrift,
  zipfWithScans,
} from './synthetic.js';
import { batchJobs, branchingAgents, deployments, evaluations } from './workloads.js';

/** A log and the capacities, in blocks of 512 tokens, at which policies are compared on it. */
export interface Case {
  readonly log: string;
  readonly load: () => Promise<Trace>;
  readonly blocks: readonly number[];
  /** Logs that designs may be chosen on; all others only show whether a choice holds. */
  readonly development: boolean;
}

/** The folder of the logs that do not ship with the package; what is not there is left out. */
const LOGS = process.env.EVICPRESS_LOGS ?? '.';

function logFile(name: string): string | undefined {
  const path = join(LOGS, name);
  return existsSync(path) ? path : undefined;
}

const loaded = new Map<string, Promise<Trace>>();

function fromFile(path: string): Promise<Trace> {
  const trace = loaded.get(path) ?? loadTrace(path);
  loaded.set(path, trace);
  return trace;
}

/** All logs there are on this machine: the development logs, what is made from them, and synthetic ones. */
export function cases(): Case[] {
  const conversation = logFile('mooncake-conversation.jsonl');
  const agents = logFile('agent-sessions.jsonl.gz');
  const documents = logFile('rag-documents.jsonl');
  const list: Case[] = [];
  const add = (
    log: string,
    blocks: readonly number[],
    load: () => Promise<Trace> | Trace,
    development = false,
  ) => list.push({ log, blocks, load: async () => load(), development });
  const from = (path: string, change: (trace: Trace) => Trace) => async () => change(await fromFile(path));
  const chat = [1828, 5484, 18_279];
  const code = [507, 1521, 5070];
  if (conversation !== undefined) {
    add('conversation', chat, () => fromFile(conversation), true);
    add(
      'conversation first half',
      chat,
      from(conversation, (t) => part(t, 0, 0.5)),
    );
    add(
      'conversation middle',
      chat,
      from(conversation, (t) => part(t, 0.3, 0.7)),
    );
    add(
      'conversation half its sessions',
      [914, 2742, 9140],
      from(conversation, (t) => someSessions(t, 0.5, 1)),
    );
    add(
      'conversation shuffled',
      chat,
      from(conversation, (t) => otherOverlap(t, 1, 2)),
    );
  }
  if (agents !== undefined) {
    add('agents', code, () => fromFile(agents), true);
    add(
      'agents first half',
      code,
      from(agents, (t) => part(t, 0, 0.5)),
    );
    add(
      'agents half its sessions',
      [253, 760, 2535],
      from(agents, (t) => someSessions(t, 0.5, 3)),
    );
    add(
      'agents overlap 4',
      code,
      from(agents, (t) => otherOverlap(t, 0.7, 4)),
    );
    add(
      'agents overlap 5, denser',
      code,
      from(agents, (t) => otherOverlap(t, 0.3, 5)),
    );
  }
  if (documents !== undefined) add('documents', [80, 160, 600], () => fromFile(documents));
  add('bundled excerpt', [200, 1000, 5000], () => fromFile(BUNDLED_LOG));
  const sizes = [500, 2500, 10_000];
  // The first seeds are for choosing designs by, the others and the kinds that have only those for judging them.
  add('zipf, slow drift', sizes, () => zipfWithDrift(7, 0.9, 500));
  add('zipf, fast drift', sizes, () => zipfWithDrift(8, 1.1, 60));
  add('zipf with scans', sizes, () => zipfWithScans(9));
  add('changing', sizes, () => changing(10));
  add('chats', sizes, () => chats(11, 5, 200));
  add('retrieval', [40, 200, 1000], () => retrieval(12, 0.9, 100));
  for (const seed of [31, 52]) {
    add(`zipf, slow drift ${seed}`, [300, 1500, 6000], () => zipfWithDrift(seed, 0.8, 800));
    add(`zipf, fast drift ${seed}`, [700, 3000], () => zipfWithDrift(seed, 1, 30));
    add(`zipf with scans ${seed}`, [300, 1500, 6000], () => zipfWithScans(seed));
    add(`changing ${seed}`, [300, 1500, 6000], () => changing(seed));
    add(`changing, short turns ${seed}`, [300, 1500], () => changing(seed, 8 * seed));
    add(`chats ${seed}`, [300, 1500, 6000], () => chats(seed, 3 + (seed % 7), 5 * seed));
    add(`retrieval ${seed}`, [30, 150, 700], () => retrieval(seed, 0.7, 2 * seed));
    add(`upheavals ${seed}`, sizes, () => upheavals(seed, 18 * seed));
    add(`bursts ${seed}`, [300, 1500], () => bursts(seed));
  }
  // Shapes that came later. What was chosen with the first two seeds in view is judged by the third.
  for (const seed of [71, 72, 73]) {
    add(`batch jobs ${seed}`, [500, 5000], () => batchJobs(seed));
    add(`evaluations ${seed}`, [500, 5000], () => evaluations(seed));
    add(`deployments ${seed}`, [500, 5000], () => deployments(seed));
    add(`branching agents ${seed}`, [500, 5000], () => branchingAgents(seed));
  }
  add('loop', [500, 2500, 4900], () => loop(220));
  add('nothing again', [2500], () => nothingAgain());
  return list;
}
