import { assignClasses } from '../../../src/traces/assign-classes.js';
import type { Trace } from '../../../src/traces/trace.js';
import { randomFrom } from './random.js';

/** A log made of some requests of another, at other times: `picked` are its request numbers. */
export function rearranged(
  trace: Trace,
  picked: readonly number[],
  timeOf: (request: number) => number,
): Trace {
  const order = [...picked].sort((a, b) => timeOf(a) - timeOf(b) || a - b);
  const number = new Int32Array(trace.tokensOfBlock.length).fill(-1);
  const blocks: number[] = [];
  const tokens: number[] = [];
  const offsets = [0];
  for (const r of order) {
    for (let k = trace.blockOffsets[r]!; k < trace.blockOffsets[r + 1]!; k++) {
      const block = trace.blocks[k]!;
      if (number[block] === -1) {
        number[block] = tokens.length;
        tokens.push(trace.tokensOfBlock[block]!);
      }
      blocks.push(number[block]!);
    }
    offsets.push(blocks.length);
  }
  const first = timeOf(order[0]!);
  const int32 = (column: Int32Array) => Int32Array.from(order, (r) => column[r]!);
  return {
    ...trace,
    requests: order.length,
    timestampSeconds: Float64Array.from(order, (r) => timeOf(r) - first),
    inputTokens: int32(trace.inputTokens),
    outputTokens: int32(trace.outputTokens),
    blockOffsets: Float64Array.from(offsets),
    blocks: Int32Array.from(blocks),
    tokensOfBlock: Int32Array.from(tokens),
    blockIds: tokens.map((_, i) => String(i)),
    classOf: int32(trace.classOf),
    sessionOf: int32(trace.sessionOf),
    tenantOf: int32(trace.tenantOf),
  };
}

/** By request: its session, the requests whose paths begin alike after the heads that everybody shares. */
export function sessionsOf(trace: Trace): Int32Array {
  const names = Array.from({ length: 1 << 20 }, (_, i) => String(i));
  return assignClasses(trace, names, 1).classOf;
}

/** The requests from share `from` to share `to` of a log, as a log of their own. */
export function part(trace: Trace, from: number, to: number): Trace {
  const picked: number[] = [];
  for (let r = Math.floor(from * trace.requests); r < Math.floor(to * trace.requests); r++) picked.push(r);
  return rearranged(trace, picked, (r) => trace.timestampSeconds[r]!);
}

/** A share of a log's sessions. */
export function someSessions(trace: Trace, share: number, seed: number): Trace {
  const random = randomFrom(seed);
  const sessions = sessionsOf(trace);
  const kept = new Map<number, boolean>();
  const picked: number[] = [];
  for (let r = 0; r < trace.requests; r++) {
    const session = sessions[r]!;
    if (!kept.has(session)) kept.set(session, random() < share);
    if (kept.get(session)) picked.push(r);
  }
  return rearranged(trace, picked, (r) => trace.timestampSeconds[r]!);
}

/** The same sessions, each as it was, begun at random within `share` of the log's time. */
export function otherOverlap(trace: Trace, share: number, seed: number): Trace {
  const random = randomFrom(seed);
  const sessions = sessionsOf(trace);
  const span = trace.timestampSeconds[trace.requests - 1]! * share;
  const shifts = new Map<number, number>();
  for (let r = 0; r < trace.requests; r++) {
    const session = sessions[r]!;
    if (!shifts.has(session)) shifts.set(session, random() * span - trace.timestampSeconds[r]!);
  }
  const all = Array.from({ length: trace.requests }, (_, r) => r);
  return rearranged(trace, all, (r) => trace.timestampSeconds[r]! + shifts.get(sessions[r]!)!);
}
