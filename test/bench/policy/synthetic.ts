import { TraceBuilder } from '../../../src/traces/builder.js';
import type { Trace } from '../../../src/traces/trace.js';
import { randomFrom, zipf } from './random.js';

const BLOCK = 512;

interface Pattern {
  readonly requests: number;
  readonly seed: number;
}

/** A log of whole documents with a question each: `pick` says which document a request is about. */
function documentLog({ requests, seed }: Pattern, pick: (r: number, random: () => number) => number): Trace {
  const random = randomFrom(seed);
  const builder = new TraceBuilder('prefix');
  for (let r = 0; r < requests; r++) {
    const document = pick(r, random);
    const length = 4 + ((Math.imul(document + 1, 0x9e3779b1) >>> 8) % 40);
    for (let b = 0; b < length; b++) builder.push(builder.ids.ofText(`${document}/${b}`));
    builder.push(builder.ids.ofText(`question ${r}`));
    builder.endRequest({ timestampSeconds: r, inputTokens: BLOCK * length + 100, outputTokens: 100 });
  }
  return builder.finish(BLOCK);
}

/** Popular documents change: every `every` requests all names move on by 40. */
export function zipfWithDrift(seed: number, exponent: number, every: number): Trace {
  const draw = zipf(2000, exponent, randomFrom(seed + 1));
  return documentLog({ requests: 8000, seed }, (r) => draw() + 40 * Math.floor(r / every));
}

/** Popular documents, and now and then a long pass over documents that are read once. */
export function zipfWithScans(seed: number, requests = 8000): Trace {
  const draw = zipf(1000, 0.9, randomFrom(seed + 1));
  let fresh = 10_000;
  return documentLog({ requests, seed }, (r) => (r % 1000 < 400 ? fresh++ : draw()));
}

/** A few popular documents, one request in five about one that is read once: nearly all tokens can be served. */
export function popularAmongOnce(seed: number, documents: number, requests = 3000): Trace {
  const draw = zipf(documents, 0.6, randomFrom(seed + 1));
  let fresh = documents;
  return documentLog({ requests, seed }, (_, random) => (random() < 0.8 ? draw() : fresh++));
}

/** The same documents over and over. */
export function loop(documents: number): Trace {
  return documentLog({ requests: 6000, seed: 1 }, (r) => r % documents);
}

/** Half the time a loop, half the time popular documents, in six turns of so many requests. */
export function changing(seed: number, turn = 1500): Trace {
  const draw = zipf(1500, 1, randomFrom(seed + 1));
  return documentLog({ requests: 6 * turn, seed }, (r) =>
    Math.floor(r / turn) % 2 === 0 ? 5000 + (r % 120) : draw(),
  );
}

/** What is popular is forgotten at once every `every` requests. */
export function upheavals(seed: number, every: number): Trace {
  const draw = zipf(800, 1, randomFrom(seed + 1));
  return documentLog({ requests: 8000, seed }, (r) => draw() + 1000 * Math.floor(r / every));
}

/** Every document is asked about a few times in a row of its own, then never again. */
export function bursts(seed: number): Trace {
  const open: number[] = [];
  let fresh = 0;
  return documentLog({ requests: 8000, seed }, (_, random) => {
    if (open.length < 40 || random() < 0.15) open.push(fresh++);
    const at = Math.floor(random() * open.length);
    const document = open[at]!;
    if (random() < 0.15) open.splice(at, 1);
    return document;
  });
}

/** Everything is new. */
export function nothingAgain(): Trace {
  return documentLog({ requests: 3000, seed: 1 }, (r) => r);
}

/**
 * Chats: each begins with one of a few system prompts, grows turn by turn, waits between turns for a time with a
 * long tail and ends at random.
 */
export function chats(seed: number, meanTurns: number, pause: number): Trace {
  const random = randomFrom(seed);
  const prompt = zipf(30, 1.2, random);
  interface Turn {
    readonly time: number;
    readonly session: number;
    readonly system: number;
    readonly blocks: number;
  }
  const turns: Turn[] = [];
  for (let session = 0; turns.length < 9000; session++) {
    const system = prompt();
    let time = session * meanTurns;
    let blocks = 0;
    do {
      blocks += 1 + Math.floor(-6 * Math.log(1 - random()));
      turns.push({ time, session, system, blocks });
      time += pause * (1 - random()) ** -0.7;
    } while (random() > 1 / meanTurns);
  }
  turns.sort((a, b) => a.time - b.time);
  const builder = new TraceBuilder('prefix');
  for (const { time, session, system, blocks } of turns) {
    const shared = 2 + (system % 12);
    for (let b = 0; b < shared; b++) builder.push(builder.ids.ofText(`system ${system}/${b}`));
    for (let b = 0; b < blocks; b++) builder.push(builder.ids.ofText(`${session}/${b}`));
    const inputTokens = BLOCK * (shared + blocks);
    builder.endRequest({ timestampSeconds: time, inputTokens, outputTokens: 200 });
  }
  return builder.finish(BLOCK);
}

/** Retrieval: every request asks for a handful of documents, popular ones that slowly change, in any order. */
export function retrieval(seed: number, exponent: number, every: number, requests = 6000): Trace {
  const random = randomFrom(seed);
  const draw = zipf(3000, exponent, random);
  const builder = new TraceBuilder('documents');
  for (let r = 0; r < requests; r++) {
    let inputTokens = 0;
    for (const document of new Set(Array.from({ length: 5 }, () => draw() + 20 * Math.floor(r / every)))) {
      const tokens = 300 + ((Math.imul(document + 1, 0x9e3779b1) >>> 8) % 4000);
      builder.pushDocument(builder.ids.ofText(`${document}`), tokens);
      inputTokens += tokens;
    }
    builder.endRequest({ timestampSeconds: r, inputTokens, outputTokens: 100 });
  }
  return builder.finish(0);
}
