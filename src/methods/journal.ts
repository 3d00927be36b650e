import { type FileHandle, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errors } from '../errors.js';
import { systemFault } from '../formats/files.js';
import { formatHeader } from '../formats/schema.js';
import { makeFolder } from '../make-folder.js';
import type { Measurement } from './runner.js';

/** A journal larger than this is not one of ours. */
const LARGEST_BYTES = 2 ** 30;

/** One measured configuration, or the reason why it cannot be measured. */
export interface JournalEntry {
  readonly context: string;
  /** What the measurement depends on besides method and ratio: text, queries, model, length of answers. */
  readonly inputs: string;
  readonly method: string;
  readonly compressionRatio: number;
  readonly tokens?: number;
  readonly fullBytes?: number;
  readonly prefillSeconds?: number;
  /** What the prefill showed of the context (see features.ts). */
  readonly features?: Readonly<Record<string, number>>;
  /** Which queries were asked, by their place; all of them if not given. */
  readonly asked?: readonly number[];
  readonly measurement?: Measurement;
  /** The answers from the full cache, one per query asked. */
  readonly referenceAnswers?: readonly string[];
  /** Cosine per query between the answer from the full cache and the one from the compressed cache. */
  readonly similarity?: readonly number[];
  readonly failed?: string;
}

/** One entry of two looks at the same configuration: the queries of both, the bytes and seconds of the later. */
export function joinEntries(earlier: JournalEntry | undefined, later: JournalEntry): JournalEntry {
  if (earlier?.measurement === undefined || later.measurement === undefined || later.asked === undefined) {
    return earlier?.measurement !== undefined && later.measurement === undefined ? earlier : later;
  }
  const before = earlier.measurement;
  const both = <T>(a: readonly T[] | undefined, b: readonly T[] | undefined) => [...(a ?? []), ...(b ?? [])];
  return {
    ...later,
    asked: both(earlier.asked, later.asked),
    referenceAnswers: both(earlier.referenceAnswers, later.referenceAnswers),
    measurement: {
      ...later.measurement,
      answers: both(before.answers, later.measurement.answers),
      tokenAgreement: both(before.tokenAgreement, later.measurement.tokenAgreement),
      klDivergence: both(before.klDivergence, later.measurement.klDivergence),
    },
    ...(earlier.similarity === undefined && later.similarity === undefined
      ? {}
      : { similarity: both(earlier.similarity, later.similarity) }),
  };
}

/** Queries the model wrote for a context that had none. */
export interface WrittenQueries {
  readonly context: string;
  /** What they depend on: text, model, seed, how many were asked for. */
  readonly inputs: string;
  readonly queries: readonly string[];
}

/** Results as they come: one line each, on disk before the next configuration starts. */
export interface Journal {
  readonly entries: readonly JournalEntry[];
  /** Queries that the model wrote, in the order of writing. */
  readonly written: readonly WrittenQueries[];
  /** Lines of an earlier run that a damage in front of them, or in them, has made unreadable. */
  readonly lostLines: number;
  append(entry: JournalEntry | WrittenQueries): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a journal for writing. The caller sees to it that no other run has it open.
 * @param resume keep what an earlier run has measured; a line it did not finish is cut off. Else start anew.
 * @throws EvicpressError when it cannot be written.
 */
export async function openJournal(path: string, resume: boolean): Promise<Journal> {
  let file: FileHandle | undefined;
  try {
    await makeFolder(dirname(path));
    file = await open(path, resume ? 'a+' : 'w+');
    const { size } = await file.stat();
    if (size > LARGEST_BYTES)
      throw errors.badFile(path, undefined, `${size} bytes are too many for a journal.`);
    const { lines, wholeBytes, lostLines } = parse(await file.readFile());
    await file.truncate(wholeBytes);
    if (wholeBytes === 0) await file.appendFile(`${JSON.stringify(formatHeader('journal'))}\n`);
    await file.sync();
    return journal(file, lines, lostLines, path);
  } catch (error) {
    await file?.close();
    throw systemFault(error, path);
  }
}

/** How many configurations an earlier run has left in a journal; 0 where there is none. */
export async function countEntries(path: string): Promise<number> {
  return parse(await readFile(path).catch(() => Buffer.alloc(0))).lines.filter(isEntry).length;
}

type Line = JournalEntry | WrittenQueries;

function isEntry(line: Line): line is JournalEntry {
  return 'method' in line;
}

function journal(file: FileHandle, earlier: readonly Line[], lostLines: number, path: string): Journal {
  const entries = earlier.filter(isEntry);
  const written = earlier.flatMap((line) => (isEntry(line) ? [] : [line]));
  return {
    entries,
    written,
    lostLines,
    async append(entry) {
      try {
        await file.appendFile(`${JSON.stringify(entry)}\n`);
        await file.sync();
      } catch (error) {
        throw systemFault(error, path);
      }
      if (isEntry(entry)) entries.push(entry);
      else written.push(entry);
    },
    close: () => file.close(),
  };
}

/**
 * The whole lines of a journal, up to the first damaged one. A line that was cut short while it was written is the
 * last one and has no newline: what has one was lost in another way.
 */
function parse(bytes: Buffer): { lines: Line[]; wholeBytes: number; lostLines: number } {
  const lines: Line[] = [];
  let wholeBytes = 0;
  let lostLines = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, wholeBytes)) {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8', wholeBytes, end));
    } catch {
      for (let at = end; at >= 0; at = bytes.indexOf(10, at + 1)) lostLines++;
      break;
    }
    if (typeof value === 'object' && value !== null && 'context' in value) lines.push(value as Line);
    wholeBytes = end + 1;
  }
  return { lines, wholeBytes, lostLines };
}
