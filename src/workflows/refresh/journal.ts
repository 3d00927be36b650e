import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readText, systemFault } from '../../formats/files.js';
import { formatHeader } from '../../formats/schema.js';
import { PRIVATE_FILE, readBytes } from './private-files.js';

/** Past this size the journal becomes journal.1.ndjson, and a new one begins. */
const LARGEST_JOURNAL_BYTES = 16 * 2 ** 20;
const NEWLINE = 10;

/** What a turn did, and why. */
export interface JournalEntry {
  readonly at: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/**
 * Appends an entry, durably. A line that a killed run left unfinished is cut off first.
 * @throws EvicpressError when it cannot be written.
 */
export async function appendJournal(folder: string, entry: JournalEntry): Promise<void> {
  const path = journalPath(folder);
  let handle: FileHandle | undefined;
  try {
    const size = (await stat(path).catch(() => undefined))?.size ?? 0;
    if (size > LARGEST_JOURNAL_BYTES) await rename(path, join(folder, 'journal.1.ndjson'));
    const whole = size > 0 && size <= LARGEST_JOURNAL_BYTES ? await wholeLines(path, size) : 0;
    handle = await open(path, whole === 0 ? 'w' : 'r+', PRIVATE_FILE);
    await handle.truncate(whole);
    const header = whole === 0 ? `${JSON.stringify(formatHeader('journal'))}\n` : '';
    await handle.write(`${header}${JSON.stringify(entry)}\n`, whole);
    await handle.sync();
  } catch (error) {
    throw systemFault(error, path);
  } finally {
    await handle?.close();
  }
}

/** Entries of the journal, oldest first; lines that are none are passed over. */
export async function readJournal(folder: string): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (const name of ['journal.1.ndjson', 'journal.ndjson']) {
    const path = join(folder, name);
    const text = await readText(path).catch(() => '');
    for (const line of text.split('\n')) {
      const entry = parsed(line);
      if (entry !== undefined) entries.push(entry);
    }
  }
  return entries;
}

export function journalPath(folder: string): string {
  return join(folder, 'journal.ndjson');
}

function parsed(line: string): JournalEntry | undefined {
  try {
    const value = JSON.parse(line) as JournalEntry | null;
    return typeof value?.event === 'string' && typeof value.at === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes up to the end of the last whole line. */
async function wholeLines(path: string, size: number): Promise<number> {
  return (await readBytes(path, size)).lastIndexOf(NEWLINE) + 1;
}
