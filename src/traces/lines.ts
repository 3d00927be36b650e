import { errors } from '../errors.js';
import { requireFile } from '../formats/files.js';
import { type LineBatch, readLineBatches } from '../formats/line-batches.js';

/**
 * Reads a log in batches of whole lines.
 * @throws EvicpressError where the file is missing, empty, cut short, or has an overlong line.
 */
export async function* readLogBatches(path: string): AsyncGenerator<LineBatch> {
  await requireLog(path);
  let any = false;
  for await (const batch of readLineBatches(path)) {
    any = true;
    yield batch;
  }
  if (!any) throw emptyLog(path);
}

/** The stat of a log. @throws EvicpressError where it is missing, empty or a folder. */
export function requireLog(path: string): ReturnType<typeof requireFile> {
  return requireFile(path, 'a request log', 'Check the path, or write one (docs/formats.md).');
}

/** The error of a log without any line. */
export function emptyLog(path: string): Error {
  return errors.emptyFile(path, 'a request log');
}

/** The first line that is not blank, for recognising the format. */
export async function firstLineOf(path: string): Promise<string> {
  for await (const { bytes, ends } of readLogBatches(path)) {
    for (let i = 0, start = 0; i < ends.length; start = ends[i]! + 1, i++) {
      const line = bytes.toString('utf8', start, ends[i]!);
      if (line.trim() !== '') return line;
    }
  }
  throw emptyLog(path);
}
