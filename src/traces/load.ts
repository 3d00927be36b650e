import { EvicpressError, errors } from '../errors.js';
import { type ByteRange, isBlank, readWholeLines } from '../formats/line-batches.js';
import { isList, LIST_NOT_LINES } from '../formats/schema.js';
import type { OnProgress } from '../progress.js';
import { pick } from '../registry.js';
import { TraceBuilder } from './builder.js';
import { TraceCache } from './cache.js';
import type { FormatOptions, LineParser, TraceFormat } from './format.js';
import { formats } from './index.js';
import { emptyLog, firstLineOf, requireLog } from './lines.js';
import { scanAhead } from './scan-ahead.js';
import { headsTable, isOneFile, isTable, TABLE } from './table/recognise.js';
import type { Trace } from './trace.js';

/** For no more blocks than these, or requests, room is made on a guess. */
const MOST_GUESSED = 2 ** 28;
const NEWLINE = 10;
const table = { name: TABLE } as const;

export interface LoadOptions extends FormatOptions {
  /** Name of the format; recognised by content where it is left out. */
  readonly format?: string;
  /** Count lines that do not parse instead of refusing the log. */
  readonly skipBad?: boolean;
  /** Is told of work that takes long before reading begins. */
  readonly onProgress?: OnProgress;
  /** Folder for parsed logs, so that the second reading skips parsing; none without it. */
  readonly cacheFolder?: string;
  /** Is handed what writes the parsed log into that folder; without it, reading ends when the log is kept. */
  readonly onParsed?: (keep: Keep) => void;
}

/**
 * Begins to write a parsed log, once however often it is called: when it returns, other threads do the rest, and this
 * one may be kept busy. In the end `kept` comes to a warning where the log could not be kept.
 */
export type Keep = () => Promise<{ readonly kept: Promise<string | undefined> }>;

/**
 * Reads a request log, plain or compressed, streaming.
 * @throws EvicpressError on a missing, empty, damaged or unrecognised log, and on the first line that does
 *   not parse, with its number, unless `skipBad` is set.
 */
export async function loadTrace(path: string, options: LoadOptions = {}): Promise<Trace> {
  if (options.cacheFolder === undefined) return parseTrace(path, options);
  return new TraceCache(options.cacheFolder).load(path, options, () => parseTrace(path, options));
}

/**
 * Sees, before anything that takes long, whether a log is there, and its format known where it is named.
 * @throws EvicpressError
 */
export async function expectLog(path: string, format?: string): Promise<void> {
  if (format !== undefined) expectFormat(format);
  if (isOneFile(path)) await requireLog(path);
}

/** The format of this name. @throws EvicpressError on an unknown one. */
export function expectFormat(name: string): TraceFormat | typeof table {
  return pick('log format', [...formats, table], name);
}

async function parseTrace(path: string, options: LoadOptions): Promise<Trace> {
  const read = { lines: 0 };
  const pipe = isTable(path) ? undefined : await openPipe(path, read);
  try {
    const format = await formatOf(path, options.format, pipe?.firstLine);
    if ('parse' in format) return await parseLog(path, format, options, read, pipe?.batches);
    if (pipe !== undefined)
      throw errors.badFile(path, undefined, 'a table is not read from a pipe. Write it to a file first.');
    // DuckDB, and all that goes with it, only where it is needed.
    return (await import('./table/read.js')).readTable(path, options);
  } finally {
    await pipe?.batches.return();
  }
}

/** A log that can be read once only: the batches of its lines, and the first line that is not blank. */
interface Pipe {
  readonly firstLine: string;
  readonly batches: AsyncGenerator<Buffer, void>;
}

/** Undefined where the log is an ordinary file. */
async function openPipe(path: string, read: { readonly lines: number }): Promise<Pipe | undefined> {
  if ((await requireLog(path)).isFile()) return undefined;
  const rest = readWholeLines(path, read);
  const begun: Buffer[] = [];
  let firstLine: string | undefined;
  while (firstLine === undefined) {
    const next = await rest.next();
    if (next.done === true) throw emptyLog(path);
    begun.push(next.value);
    firstLine = next.value
      .toString('utf8')
      .split('\n')
      .find((line) => line.trim() !== '');
  }
  async function* batches() {
    try {
      yield* begun;
      yield* rest;
    } finally {
      await rest.return(undefined);
    }
  }
  return { firstLine, batches: batches() };
}

/** @param batches of a log that can be read once only. */
async function parseLog(
  path: string,
  format: TraceFormat,
  options: LoadOptions,
  read: { lines: number },
  batches?: AsyncIterable<Buffer>,
): Promise<Trace> {
  const { size } = await requireLog(path);
  const builder = new TraceBuilder(format.reuse);
  const parser = format.parse(builder, options);
  const skipped = { lines: 0, first: '' };
  const onFault = (line: number, fault: string) => {
    // A file that is one list has no lines to go on with.
    const isHopeless = fault === LIST_NOT_LINES && builder.requests === 0 && skipped.lines === 0;
    if (options.skipBad !== true || isHopeless)
      throw errors.badFile(
        path,
        line,
        isHopeless ? fault : `${fault} Pass --skip-bad to leave such lines out.`,
      );
    if (skipped.lines++ === 0) skipped.first = `line ${line}: ${fault}`;
  };
  const parseRange = async (range: ByteRange) => {
    for await (const bytes of batches ?? readWholeLines(path, read, range)) {
      const isFirst = read.lines === 0;
      parseLines(parser, builder, bytes, read, onFault);
      if (!isFirst) continue;
      // The rest of the log will hold about as much a byte as its first batch.
      const room = (soFar: number) => Math.min(MOST_GUESSED, Math.ceil((1.1 * soFar * size) / bytes.length));
      builder.reserve(room(builder.pushed), room(builder.requests));
    }
  };
  const ahead = parser.plain === undefined ? undefined : await scanAhead(path);
  try {
    await parseRange(ahead === undefined ? {} : { fd: ahead.fd, to: ahead.from });
    if (ahead !== undefined) {
      for await (const requests of ahead.requests()) {
        parser.plain!.take(requests);
        read.lines += requests.inputTokens.length;
      }
      await parseRange({ fd: ahead.fd, from: ahead.readTo });
    }
  } finally {
    await ahead?.stop();
  }
  if (read.lines === 0) throw emptyLog(path);
  if (skipped.lines > 0)
    builder.warnings.push(
      `${skipped.lines} line${skipped.lines === 1 ? ' was' : 's were'} skipped, the first: ${skipped.first}`,
    );
  if (builder.requests === 0 && skipped.lines > 0)
    throw errors.badFile(
      path,
      undefined,
      `no line of it is a request of format ${format.name}; the first fault: ${skipped.first}`,
    );
  if (builder.requests === 0) throw errors.emptyFile(path, 'at least one request');
  return builder.finish(parser.blockTokens());
}

/**
 * The format of a log, by its name where one is given, else by its content.
 * @param firstLine that is not blank, where it has been read.
 * @throws EvicpressError on an unknown name, or where the log cannot be read or recognised.
 */
export async function formatOf(
  path: string,
  name: string | undefined,
  firstLine?: string,
): Promise<TraceFormat | typeof table> {
  if (name !== undefined) return expectFormat(name);
  return isTable(path) ? table : recognise(path, firstLine ?? (await firstLineOf(path)));
}

function recognise(path: string, firstLine: string): TraceFormat | typeof table {
  const found = formats.find((format) => format.sniff(firstLine));
  if (found !== undefined) return found;
  if (headsTable(firstLine)) return table;
  if (isList(firstLine)) throw errors.badFile(path, 1, LIST_NOT_LINES);
  throw new EvicpressError(
    `${path}:1: this is no request log we know. Name its format with --format (${[...formats, table].map((format) => format.name).join(', ')}), or see docs/formats.md for their forms.`,
  );
}

/** Parses whole lines and counts them in `read`. */
function parseLines(
  parser: LineParser,
  builder: TraceBuilder,
  bytes: Buffer,
  read: { lines: number },
  onFault: (line: number, fault: string) => void,
): void {
  const plain = bytes[bytes.length - 1] === NEWLINE ? parser.plain : undefined;
  plain?.begin(bytes);
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    read.lines++;
    end = plain === undefined ? -1 : plain.line(start);
    if (end !== -1) continue;
    end = bytes.indexOf(NEWLINE, start);
    if (end === -1) end = bytes.length;
    if (isBlank(bytes, start, end)) continue;
    const fault = parser.line(bytes, start, end);
    if (fault === undefined) continue;
    builder.abandon();
    onFault(read.lines, fault);
  }
}
