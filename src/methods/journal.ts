import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errors } from '../errors.js';
import { systemFault } from '../formats/files.js';
import { formatHeader } from '../formats/schema.js';
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
  readonly measurement?: Measurement;
  /** Cosine per query between the answer from the full cache and the one from the compressed cache. */
  readonly similarity?: readonly number[];
  readonly failed?: string;
}

/** Results as they come: one line each, on disk before the next configuration starts. */
export interface Journal {
  readonly entries: readonly JournalEntry[];
  append(entry: JournalEntry): Promise<void>;
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
    await mkdir(dirname(path), { recursive: true });
    file = await open(path, resume ? 'a+' : 'w+');
    const { size } = await file.stat();
    if (size > LARGEST_BYTES)
      throw errors.badFile(path, undefined, `${size} bytes are too many for a journal.`);
    const { entries, wholeBytes } = parse(await file.readFile());
    await file.truncate(wholeBytes);
    if (wholeBytes === 0) await file.appendFile(`${JSON.stringify(formatHeader('journal'))}\n`);
    await file.sync();
    return journal(file, entries, path);
  } catch (error) {
    await file?.close();
    throw systemFault(error, path);
  }
}

/** How many configurations an earlier run has left in a journal; 0 where there is none. */
export async function countEntries(path: string): Promise<number> {
  return parse(await readFile(path).catch(() => Buffer.alloc(0))).entries.length;
}

function journal(file: FileHandle, earlier: JournalEntry[], path: string): Journal {
  const entries = [...earlier];
  return {
    entries,
    async append(entry) {
      try {
        await file.appendFile(`${JSON.stringify(entry)}\n`);
        await file.sync();
      } catch (error) {
        throw systemFault(error, path);
      }
      entries.push(entry);
    },
    close: () => file.close(),
  };
}

/** The whole lines of a journal. What follows the first damaged line was not written by a finished append. */
function parse(bytes: Buffer): { entries: JournalEntry[]; wholeBytes: number } {
  const entries: JournalEntry[] = [];
  let wholeBytes = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, wholeBytes)) {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8', wholeBytes, end));
    } catch {
      break;
    }
    if (typeof value === 'object' && value !== null && 'method' in value) entries.push(value as JournalEntry);
    wholeBytes = end + 1;
  }
  return { entries, wholeBytes };
}
